//! The port that AWS's clients speak to: who calls, what, and what goes back.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use serde_json::Value;

use crate::clock::Now;
use crate::emulator::Emulator;
use crate::error::ApiError;
use crate::identity::Caller;
use crate::operations::{self, Call};
use crate::sigv4::{self, Signed, Unauthenticated};
use crate::sts::{self, xml};
use crate::wire::{self, Members};
use crate::world::audit::{Entry, Note};

/// More than the greatest request of the model: a document and a policy fit many times.
const MAX_BODY: usize = 1024 * 1024;
/// `X-Amz-Target` of KMS starts with this.
const TARGET_PREFIX: &str = "TrentService.";

/// Marks an answer that must not be sent: its connection is closed instead.
#[derive(Clone, Copy)]
pub(crate) struct LoseAnswer;

/// The routes.
pub(crate) fn router(emulator: Arc<Emulator>) -> Router {
    Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(emulator)
}

async fn handle(
    State(emulator): State<Arc<Emulator>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let signed = Signed {
        method: &method,
        uri: &uri,
        headers: &headers,
        body: &body,
    };
    let request_id = request_id();
    let operation = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    if let Some(target) = operation {
        let operation = target
            .strip_prefix(TARGET_PREFIX)
            .unwrap_or(target)
            .to_owned();
        return kms(&emulator, &signed, &operation, &request_id);
    }
    sts(&emulator, &signed, &request_id)
}

fn kms(
    emulator: &Emulator,
    signed: &Signed<'_>,
    operation: &str,
    request_id: &str,
) -> Response<Body> {
    let now = emulator.now();
    let caller = authenticate(emulator, signed, "kms", now);
    let (result, lost) = record(emulator, caller, operation, now, |call| {
        let members = Members::parse(signed.body)?;
        operations::run(call, operation, &members)
    });
    let response = match &result {
        Ok(answer) => wire::success(answer.as_ref(), request_id),
        Err(error) => wire::failure(error, request_id),
    };
    marked(response, lost)
}

fn sts(emulator: &Emulator, signed: &Signed<'_>, request_id: &str) -> Response<Body> {
    let now = emulator.now();
    let parameters = sts::parameters(signed.body, signed.uri.query());
    let action = parameters.get("Action").cloned().unwrap_or_default();
    let caller = authenticate(emulator, signed, "sts", now);
    let (result, lost) = record(emulator, caller, &action, now, |call| {
        let content = sts::run(emulator, call.caller, now, &parameters, &mut call.note)?;
        Ok(Some(Value::String(content)))
    });
    let response = match &result {
        Ok(content) => {
            let content = content.as_ref().and_then(Value::as_str).unwrap_or_default();
            xml::success(&action, content, request_id)
        }
        Err(error) => xml::failure(error, request_id),
    };
    marked(response, lost)
}

/// Runs one call with the world to itself, meets the knobs, and writes the audit log.
fn record(
    emulator: &Emulator,
    caller: Result<Caller, ApiError>,
    name: &str,
    now: Now,
    run: impl FnOnce(&mut Call<'_>) -> operations::Answer,
) -> (operations::Answer, bool) {
    let mut world = emulator.world();
    let principal = caller.as_ref().map_or_else(
        |_| "unauthenticated".to_owned(),
        |caller| caller.principal.arn.clone(),
    );
    let mut note = Note::default();
    let result = caller.and_then(|caller| {
        if let Some(error) = world.knobs.take_failure(name) {
            return Err(error);
        }
        let mut call = Call {
            emulator,
            world: &mut world,
            caller: &caller,
            now,
            note: Note::default(),
        };
        let result = run(&mut call);
        note = call.note;
        result
    });
    let lost = world.knobs.take_lost_answer(name);
    note.answer_lost = lost;
    let outcome = result.as_ref().err().map_or("ok", |error| &error.code);
    let entry = Entry {
        seq: 0,
        time: now.rfc3339(),
        principal,
        operation: name.to_owned(),
        note,
        outcome: outcome.to_owned(),
    };
    world.audit.push(entry);
    (result, lost)
}

fn authenticate(
    emulator: &Emulator,
    signed: &Signed<'_>,
    service: &str,
    now: Now,
) -> Result<Caller, ApiError> {
    let region = &emulator.config.region;
    sigv4::verify(signed, service, region, &emulator.identities, now).map_err(|error| match error {
        Unauthenticated::Missing => ApiError::client(
            "MissingAuthenticationTokenException",
            "Request is missing Authentication Token",
        ),
        Unauthenticated::Incomplete(what) => ApiError::client("IncompleteSignatureException", what),
        Unauthenticated::UnknownToken => ApiError::client(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Unauthenticated::ExpiredToken => ApiError::client(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        Unauthenticated::Mismatch(what) => ApiError::client("InvalidSignatureException", what),
    })
}

fn marked(mut response: Response<Body>, lost: bool) -> Response<Body> {
    if lost {
        response.extensions_mut().insert(LoseAnswer);
    }
    response
}

/// A random UUID-shaped text; all zeros if there are no random bytes, as nothing depends on it.
fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    let hex = hex::encode(bytes);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}
