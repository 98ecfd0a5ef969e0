//! The admin port: plain JSON for people and tests, without signatures. Never reachable through the other port.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::emulator::Emulator;
use crate::world::audit::Entry;
use crate::world::knobs::Knobs;

/// A foreign hand's policy may be larger than KMS would take.
const MAX_BODY: usize = 4 * 1024 * 1024;

type Shared = State<Arc<Emulator>>;
/// A refusal: its status and a text.
type Refusal = (StatusCode, String);

/// The routes.
pub(crate) fn router(emulator: Arc<Emulator>) -> Router {
    Router::new()
        .route(
            "/healthz",
            get(|| async { Json(json!({ "status": "ok" })) }),
        )
        .route("/audit", get(audit).delete(clear_audit))
        .route("/knobs", get(knobs).put(set_knobs))
        .route("/keys", get(keys))
        .route("/keys/{id}/policy", get(policy).put(set_policy))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(emulator)
}

#[derive(Deserialize)]
struct Since {
    /// Entries with greater numbers only.
    #[serde(default)]
    since: u64,
}

async fn audit(State(emulator): Shared, Query(since): Query<Since>) -> Json<Vec<Entry>> {
    Json(emulator.world().audit.since(since.since))
}

async fn clear_audit(State(emulator): Shared) -> StatusCode {
    emulator.world().audit.clear();
    StatusCode::NO_CONTENT
}

async fn knobs(State(emulator): Shared) -> Json<Knobs> {
    Json(emulator.world().knobs.clone())
}

async fn set_knobs(
    State(emulator): Shared,
    Json(knobs): Json<Knobs>,
) -> Result<Json<Knobs>, Refusal> {
    knobs
        .check()
        .map_err(|what| (StatusCode::BAD_REQUEST, what))?;
    let mut world = emulator.world();
    world.set_knobs(knobs);
    Ok(Json(world.knobs.clone()))
}

async fn keys(State(emulator): Shared) -> Json<Vec<Value>> {
    let world = emulator.world();
    let key = |key: &crate::world::key::Key| {
        json!({
            "id": key.id,
            "arn": key.arn,
            "account": key.account,
            "state": key.state.shown().name(),
            "tags": key.tags,
        })
    };
    Json(world.keys.values().map(key).collect())
}

async fn policy(State(emulator): Shared, Path(id): Path<String>) -> Result<String, Refusal> {
    let mut world = emulator.world();
    let key = world.find(&id).ok_or_else(|| unknown(&id))?;
    Ok(key.policies.shown().to_owned())
}

async fn set_policy(
    State(emulator): Shared,
    Path(id): Path<String>,
    text: String,
) -> Result<StatusCode, Refusal> {
    let mut world = emulator.world();
    let key = world.find(&id).ok_or_else(|| unknown(&id))?;
    key.policies.put_raw(text);
    Ok(StatusCode::NO_CONTENT)
}

fn unknown(id: &str) -> Refusal {
    let what = format!("there is no key {id}: GET /keys lists them");
    (StatusCode::NOT_FOUND, what)
}
