//! The canonical request: what the signature is computed over.

use std::fmt::Write;

use aws_lc_rs::digest;

use super::header::Authorization;
use super::{Signed, Unauthenticated, text};

/// Method, path, query, headers, names of headers, hash of the body: each on its own line.
pub(super) fn request(
    request: &Signed<'_>,
    authorization: &Authorization<'_>,
) -> Result<String, Unauthenticated> {
    let body_hash = hex::encode(digest::digest(&digest::SHA256, request.body));
    if let Some(claimed) = text(request.headers, "x-amz-content-sha256")
        && claimed != body_hash
    {
        return Err(Unauthenticated::Mismatch(
            "The provided 'x-amz-content-sha256' header does not match what was computed."
                .to_owned(),
        ));
    }
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        path(request.uri.path()),
        query(request.uri.query().unwrap_or_default())
    );
    for name in &authorization.signed_headers {
        canonical.push_str(&header_line(request, name)?);
    }
    // Writing to a String cannot fail.
    let _ = write!(
        canonical,
        "\n{}\n{body_hash}",
        authorization.signed_headers.join(";")
    );
    Ok(canonical)
}

/// `name:value\n`, several values joined by commas, runs of spaces made one.
fn header_line(request: &Signed<'_>, name: &str) -> Result<String, Unauthenticated> {
    let mut values = Vec::new();
    for value in request.headers.get_all(name) {
        let value = value
            .to_str()
            .map_err(|_| Unauthenticated::Incomplete(format!("Header '{name}' is not text.")))?;
        values.push(value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    if values.is_empty() && name == "host" {
        // HTTP/2 and absolute-form requests carry the host in the target.
        values.extend(request.uri.authority().map(ToString::to_string));
    }
    if values.is_empty() {
        return Err(Unauthenticated::Mismatch(format!(
            "'{name}' is named in SignedHeaders but not in the request."
        )));
    }
    Ok(format!("{name}:{}\n", values.join(",")))
}

/// The path with each segment encoded once more, as every service but S3 does it.
fn path(path: &str) -> String {
    let encoded: Vec<_> = path.split('/').map(encode).collect();
    encoded.join("/")
}

/// Parameters decoded, encoded in the one canonical way, and sorted.
fn query(query: &str) -> String {
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
