//! JSON 1.1 as KMS speaks it: reading requests member by member, writing answers and errors.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::error::ApiError;

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// A request's members.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Parses a body; an empty one is a request without members.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(ApiError::client(
                "SerializationException",
                "Start of structure or map found where not expected.",
            )),
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// An optional text.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| wrong_type("STRING_VALUE")))
            .transpose()
    }

    /// A text that has to be there.
    pub fn required_text(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)?
            .ok_or_else(|| ApiError::missing(&camel(name)))
    }

    /// An optional truth value, false when absent.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        self.get(name).map_or(Ok(false), |value| {
            value.as_bool().ok_or_else(|| wrong_type("TRUE_VALUE"))
        })
    }

    /// An optional whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|value| value.as_i64().ok_or_else(|| wrong_type("NUMBER_VALUE")))
            .transpose()
    }

    /// A blob within these lengths, if it is there.
    pub fn blob(&self, name: &str, max: usize) -> Result<Option<Vec<u8>>, ApiError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let bytes = BASE64.decode(text).map_err(|_| {
            ApiError::client("SerializationException", "Invalid base64 in a blob member.")
        })?;
        let must = |bound: &str| {
            ApiError::constraint("(blob)", &camel(name), &format!("have length {bound}"))
        };
        if bytes.is_empty() {
            return Err(must("greater than or equal to 1"));
        }
        if bytes.len() > max {
            return Err(must(&format!("less than or equal to {max}")));
        }
        Ok(Some(bytes))
    }

    /// A blob that has to be there.
    pub fn required_blob(&self, name: &str, max: usize) -> Result<Vec<u8>, ApiError> {
        self.blob(name, max)?
            .ok_or_else(|| ApiError::missing(&camel(name)))
    }

    /// A map of texts, empty when absent.
    pub fn text_map(&self, name: &str) -> Result<BTreeMap<String, String>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(BTreeMap::new());
        };
        let map = value.as_object().ok_or_else(|| wrong_type("map"))?;
        let entry = |(key, value): (&String, &Value)| {
            let value = value.as_str().ok_or_else(|| wrong_type("STRING_VALUE"))?;
            Ok((key.clone(), value.to_owned()))
        };
        map.iter().map(entry).collect()
    }

    /// A structure, if it is there.
    pub fn structure(&self, name: &str) -> Result<Option<Self>, ApiError> {
        self.get(name)
            .map(|value| {
                let members = value.as_object().ok_or_else(|| wrong_type("structure"))?;
                Ok(Self(members.clone()))
            })
            .transpose()
    }

    /// A list of structures, empty when absent.
    pub fn structures(&self, name: &str) -> Result<Vec<Self>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let list = value.as_array().ok_or_else(|| wrong_type("list"))?;
        let member = |value: &Value| {
            let members = value.as_object().ok_or_else(|| wrong_type("structure"))?;
            Ok(Self(members.clone()))
        };
        list.iter().map(member).collect()
    }

    /// A list of texts, empty when absent.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let list = value.as_array().ok_or_else(|| wrong_type("list"))?;
        let text = |value: &Value| {
            let text = value.as_str().ok_or_else(|| wrong_type("STRING_VALUE"))?;
            Ok(text.to_owned())
        };
        list.iter().map(text).collect()
    }
}

/// A blob as JSON carries it.
pub(crate) fn blob(bytes: &[u8]) -> Value {
    Value::String(BASE64.encode(bytes))
}

/// The answer of an operation; `None` is 200 with an empty body, as `PutKeyPolicy` gives.
pub(crate) fn success(result: Option<&Value>, request_id: &str) -> Response<Body> {
    let body = result.map_or_else(Body::empty, |value| Body::from(value.to_string()));
    respond(200, body, request_id)
}

/// The answer of a refused call. Only `AccessDeniedException` writes its text with a capital `Message`.
pub(crate) fn failure(error: &ApiError, request_id: &str) -> Response<Body> {
    let mut body = json!({ "__type": error.code });
    if let Some(message) = &error.message {
        let name = if error.code == "AccessDeniedException" {
            "Message"
        } else {
            "message"
        };
        body[name] = Value::String(message.clone());
    }
    respond(error.status, Body::from(body.to_string()), request_id)
}

fn respond(status: u16, body: Body, request_id: &str) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, JSON);
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", value);
    }
    response
}

fn wrong_type(expected: &str) -> ApiError {
    ApiError::client(
        "SerializationException",
        format!("{expected} can not be converted from the value found."),
    )
}

/// `KeyId` as validation texts write it: `keyId`.
fn camel(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(characters).collect()
    })
}
