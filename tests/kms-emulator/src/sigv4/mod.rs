//! Signature Version 4, the verifying side (AWS General Reference, "Create a signed AWS API request").

mod canonical;
mod header;

use aws_lc_rs::{digest, hmac};
use axum::http::{HeaderMap, Method, Uri};

use crate::clock::Now;
use crate::identity::{Caller, Identities, IdentityError};

use header::Authorization;

/// How far a request's time may be off, as AWS's texts say: 15 minutes.
const SKEW_SECONDS: i64 = 15 * 60;

/// One HTTP request, as far as it is signed.
pub(crate) struct Signed<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Why a request is not believed; the wire form differs between KMS and STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unauthenticated {
    /// No `Authorization` header.
    Missing,
    /// A header that cannot be read, or that lacks a part; says which.
    Incomplete(String),
    /// An access key nobody has, or a session token that does not belong to it.
    UnknownToken,
    /// A session that is over.
    ExpiredToken,
    /// Right form, wrong signature, time, scope or signed headers; says which.
    Mismatch(String),
}

/// Finds out who signed the request for `service` in `region`.
pub(crate) fn verify(
    request: &Signed<'_>,
    service: &str,
    region: &str,
    identities: &Identities,
    now: Now,
) -> Result<Caller, Unauthenticated> {
    let header = text(request.headers, "authorization").ok_or(Unauthenticated::Missing)?;
    let authorization = Authorization::parse(header).map_err(Unauthenticated::Incomplete)?;
    let time = request_time(request.headers, &authorization, now)?;
    check_scope(&authorization, service, region)?;
    check_signed_headers(request.headers, &authorization)?;
    let token = text(request.headers, "x-amz-security-token");
    let credential = identities
        .find(authorization.access_key, token, now)
        .map_err(|error| match error {
            IdentityError::Unknown => Unauthenticated::UnknownToken,
            IdentityError::Expired => Unauthenticated::ExpiredToken,
        })?;
    let canonical = canonical::request(request, &authorization)?;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        time.compact(),
        authorization.scope(),
        hex::encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
    );
    let key = signing_key(&credential.secret, &authorization);
    // The comparison inside is constant in time, as a verifier's should be.
    hmac::verify(&key, to_sign.as_bytes(), &authorization.signature).map_err(|_| {
        Unauthenticated::Mismatch(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method."
                .to_owned(),
        )
    })?;
    Ok(credential.caller)
}

fn request_time(
    headers: &HeaderMap,
    authorization: &Authorization<'_>,
    now: Now,
) -> Result<Now, Unauthenticated> {
    let time = text(headers, "x-amz-date")
        .and_then(Now::parse_compact)
        .ok_or_else(|| {
            Unauthenticated::Incomplete(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                    .to_owned(),
            )
        })?;
    let compact = time.compact();
    if !compact.starts_with(authorization.date) {
        return Err(Unauthenticated::Mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{}' != '{}'.",
            authorization.date,
            &compact[..8]
        )));
    }
    let off = now.seconds() - time.seconds();
    if off > SKEW_SECONDS {
        return Err(Unauthenticated::Mismatch(format!(
            "Signature expired: {compact} is now earlier than {} ({} - 15 min.)",
            now.plus_seconds(-SKEW_SECONDS).compact(),
            now.compact()
        )));
    }
    if off < -SKEW_SECONDS {
        return Err(Unauthenticated::Mismatch(format!(
            "Signature not yet current: {compact} is still later than {} ({} + 15 min.)",
            now.plus_seconds(SKEW_SECONDS).compact(),
            now.compact()
        )));
    }
    Ok(time)
}

fn check_scope(
    authorization: &Authorization<'_>,
    service: &str,
    region: &str,
) -> Result<(), Unauthenticated> {
    if authorization.service != service {
        return Err(Unauthenticated::Mismatch(format!(
            "Credential should be scoped to correct service: '{service}'."
        )));
    }
    // STS's global endpoint signs for us-east-1, wherever the caller is.
    let global = service == "sts" && authorization.region == "us-east-1";
    if authorization.region != region && !global {
        return Err(Unauthenticated::Mismatch(format!(
            "Credential should be scoped to a valid region, not '{}'.",
            authorization.region
        )));
    }
    Ok(())
}

/// `host` and every `x-amz-*` header have to be signed: a token or target that is not could be exchanged.
fn check_signed_headers(
    headers: &HeaderMap,
    authorization: &Authorization<'_>,
) -> Result<(), Unauthenticated> {
    let must_be_signed = |name: &str| name == "host" || name.starts_with("x-amz-");
    let unsigned = std::iter::once("host")
        .chain(headers.keys().map(axum::http::HeaderName::as_str))
        .find(|name| must_be_signed(name) && !authorization.signed_headers.contains(name));
    match unsigned {
        None => Ok(()),
        Some(name) => Err(Unauthenticated::Mismatch(format!(
            "There were headers present in the request which were not signed: {name}."
        ))),
    }
}

fn signing_key(secret: &str, authorization: &Authorization<'_>) -> hmac::Key {
    let start = zeroize::Zeroizing::new(format!("AWS4{secret}"));
    let parts = [
        authorization.date,
        authorization.region,
        authorization.service,
        "aws4_request",
    ];
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, start.as_bytes());
    for part in parts {
        let tag = hmac::sign(&key, part.as_bytes());
        key = hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref());
    }
    key
}

/// A header's value, if it is there and is text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
