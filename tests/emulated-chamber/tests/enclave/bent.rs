//! A KMS that answers wrongly, under its own good certificate: TLS keeps out whoever else could.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::sync::watch;

/// What a request or an honest answer has at most.
const MAX_BODY: usize = 1 << 20;
/// How much is put behind an answer that is too long.
const TOO_MUCH: usize = 1 << 20;
const FOR_RECIPIENT: &str = "CiphertextForRecipient";

/// What becomes of the answer about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// One bit in the middle, which is in the wrapped content key.
    Flipped,
    /// Its first half.
    Truncated,
    /// With a mebibyte behind it.
    Oversized,
    /// Under this key's name what KMS said of that one, to the same enclave in the same attempt.
    Swapped(&'static str),
    /// The whole answer about that key.
    Misdirected(&'static str),
    /// What KMS said of this key in an attempt before.
    Replayed,
    /// Nothing for the enclave.
    WithoutRecipient,
    /// This error in its place.
    Error(u16, &'static str),
    /// No JSON.
    Garbage,
}

/// Stands between the enclaves and KMS; without bends every answer passes.
pub struct Bender {
    bends: Mutex<BTreeMap<&'static str, Bend>>,
    /// The honest answers about each key, in the order of the attempts.
    said: watch::Sender<BTreeMap<String, Vec<Value>>>,
}

impl Bender {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            bends: Mutex::default(),
            said: watch::Sender::default(),
        })
    }

    /// From now on the answers about these keys are bent so, and those about others pass.
    pub fn bend(&self, bends: &[(&'static str, Bend)]) {
        *self.bends.lock().unwrap() = bends.iter().copied().collect();
    }

    /// KMS behind this.
    pub fn between(self: &Arc<Self>, kms: Router) -> Router {
        kms.layer(from_fn_with_state(Arc::clone(self), between))
    }

    /// The honest answer about this key of the attempt with this number, which may still be on its way.
    async fn answer(&self, key: &str, attempt: usize) -> Value {
        let mut said = self.said.subscribe();
        let there = |said: &BTreeMap<String, Vec<Value>>| {
            said.get(key).is_some_and(|about| about.len() > attempt)
        };
        let said = said.wait_for(there).await.unwrap();
        said[key][attempt].clone()
    }

    async fn bent(&self, bend: Bend, key: &str, honest: Value) -> Response {
        let own = |bytes: Vec<u8>| {
            let mut answer = honest.clone();
            answer[FOR_RECIPIENT] = Value::String(BASE64.encode(bytes));
            answer
        };
        let mut bytes = BASE64
            .decode(honest[FOR_RECIPIENT].as_str().unwrap())
            .unwrap();
        let (half, attempt) = (bytes.len() / 2, self.said.borrow()[key].len() - 1);
        let answer = match bend {
            Bend::Flipped => {
                bytes[half] ^= 1;
                own(bytes)
            }
            Bend::Truncated => own(bytes[..half].to_vec()),
            Bend::Oversized => {
                bytes.resize(bytes.len() + TOO_MUCH, 0);
                own(bytes)
            }
            Bend::Swapped(other) => {
                let mut answer = honest.clone();
                answer[FOR_RECIPIENT] = self.answer(other, attempt).await[FOR_RECIPIENT].take();
                answer
            }
            Bend::Misdirected(other) => self.answer(other, attempt).await,
            Bend::Replayed => self.answer(key, 0).await,
            Bend::WithoutRecipient => {
                let mut answer = honest.clone();
                answer.as_object_mut().unwrap().remove(FOR_RECIPIENT);
                answer
            }
            Bend::Error(status, code) => {
                let error = json!({ "__type": code, "message": "made up" }).to_string();
                return (StatusCode::from_u16(status).unwrap(), error).into_response();
            }
            Bend::Garbage => return "<html>not what was asked for".into_response(),
        };
        answer.to_string().into_response()
    }
}

async fn between(State(bender): State<Arc<Bender>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = asked["KeyId"].as_str().unwrap_or_default();
    let key = key.rsplit('/').next().unwrap_or_default().to_owned();
    let answer = next.run(Request::from_parts(head, Body::from(body))).await;
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap();
    let honest: Value = serde_json::from_slice(&body).unwrap_or_default();
    if honest.get(FOR_RECIPIENT).is_none() {
        return Response::from_parts(head, Body::from(body));
    }
    bender.said.send_modify(|said| {
        let about = said.entry(key.clone()).or_default();
        about.push(honest.clone());
    });
    let bend = bender.bends.lock().unwrap().get(key.as_str()).copied();
    match bend {
        Some(bend) => bender.bent(bend, &key, honest).await,
        None => Response::from_parts(head, Body::from(body)),
    }
}
