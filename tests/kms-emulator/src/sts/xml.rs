//! The XML of STS's answers.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use crate::error::ApiError;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// `<name>text</name>`, escaped.
pub(crate) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `<name>` around content that is XML already.
pub(crate) fn structure(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// The answer of an action.
pub(crate) fn success(action: &str, result: &str, request_id: &str) -> Response<Body> {
    let result = structure(&format!("{action}Result"), result);
    let metadata = structure("ResponseMetadata", &element("RequestId", request_id));
    let body =
        format!("<{action}Response xmlns=\"{NAMESPACE}\">{result}{metadata}</{action}Response>");
    respond(StatusCode::OK, body, request_id)
}

/// The answer of a refused action.
pub(crate) fn failure(error: &ApiError, request_id: &str) -> Response<Body> {
    let (code, status) = wire_code(error);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let parts = [
        element("Type", kind),
        element("Code", code),
        element("Message", error.message.as_deref().unwrap_or_default()),
    ];
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\">{}{}</ErrorResponse>",
        structure("Error", &parts.concat()),
        element("RequestId", request_id)
    );
    respond(status, body, request_id)
}

/// STS has other names than KMS for the common errors, and answers 403 to who may not.
fn wire_code(error: &ApiError) -> (&str, u16) {
    match error.code.as_str() {
        "AccessDeniedException" => ("AccessDenied", 403),
        "ValidationException" => ("ValidationError", 400),
        "ThrottlingException" => ("Throttling", 400),
        "KMSInternalException" => ("InternalFailure", 500),
        "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
        "ExpiredTokenException" => ("ExpiredToken", 403),
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        other => (other, error.status),
    }
}

fn respond(status: StatusCode, body: String, request_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", value);
    }
    response
}

/// Markup characters escaped; characters that XML 1.0 cannot hold replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
