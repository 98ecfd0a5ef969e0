//! pause, resume, abort, retry, transfer: annotations that the operator answers in status.

use std::time::Duration;

use chamber_api::{ChamberCluster, VerbsStatus, names};
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::json;

use super::refused;
use crate::output::{self, Answer, Exit, Failure};

/// So long an answer is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pauses before the next action, or goes on.
pub async fn pause(
    clusters: &Api<ChamberCluster>,
    name: &str,
    paused: bool,
) -> Result<Answer, Failure> {
    let value = paused.then_some("true");
    let found = annotate(clusters, name, names::PAUSED_ANNOTATION, value).await?;
    let by_spec = found.spec.rollover.paused;
    let text = match (paused, by_spec) {
        (true, _) => "paused: nothing is begun before `kubectl chamber resume`",
        (false, false) => "resumed",
        (false, true) => {
            "the annotation is gone, but spec.rollover.paused is true: set it to false to go on"
        }
    };
    Ok(Answer {
        text: text.to_owned(),
        exit: Exit::of(paused || !by_spec),
    })
}

/// Leaves the target and returns to the release before.
pub async fn abort(
    clusters: &Api<ChamberCluster>,
    name: &str,
    dry_run: bool,
) -> Result<Answer, Failure> {
    let token = Timestamp::now().to_string();
    if dry_run {
        return would(clusters, name, names::ABORT_ANNOTATION, &token).await;
    }
    ask(clusters, name, names::ABORT_ANNOTATION, &token, |verbs| {
        verbs.abort.as_ref()
    })
    .await
}

/// Tries again what failed.
pub async fn retry(clusters: &Api<ChamberCluster>, name: &str) -> Result<Answer, Failure> {
    let token = Timestamp::now().to_string();
    ask(clusters, name, names::RETRY_ANNOTATION, &token, |verbs| {
        verbs.retry.as_ref()
    })
    .await
}

/// Takes over the keys of another owner.
pub async fn transfer(
    clusters: &Api<ChamberCluster>,
    name: &str,
    from: &str,
    sure: bool,
    dry_run: bool,
) -> Result<Answer, Failure> {
    if !sure {
        let what = format!(
            "the keys of {name} that are {from}'s become its own: the other owner stops, if it still runs"
        );
        output::confirm(&what, name, "nothing was taken over")?;
    }
    if dry_run {
        return would(clusters, name, names::TRANSFER_ANNOTATION, from).await;
    }
    ask(clusters, name, names::TRANSFER_ANNOTATION, from, |verbs| {
        verbs.transfer.as_ref()
    })
    .await
}

/// Has the API server judge the annotation, and sets nothing.
async fn would(
    clusters: &Api<ChamberCluster>,
    name: &str,
    annotation: &str,
    token: &str,
) -> Result<Answer, Failure> {
    let body = json!({ "metadata": { "annotations": { annotation: token } } });
    patch(clusters, name, &body, true).await?;
    Ok(judged(name, annotation, token))
}

/// What a dry run has to say.
pub fn judged(name: &str, annotation: &str, token: &str) -> Answer {
    let token = output::printable(token);
    Answer {
        text: format!(
            "dry run: chambercluster {name} would get the annotation {annotation}: {token}\nThe API server allows it; nothing was changed, and the operator was not asked."
        ),
        exit: Exit::Clean,
    }
}

/// Sets the annotation, and waits until the operator has answered it.
async fn ask(
    clusters: &Api<ChamberCluster>,
    name: &str,
    annotation: &str,
    token: &str,
    handled: impl Fn(&VerbsStatus) -> Option<&String>,
) -> Result<Answer, Failure> {
    let before = annotate(clusters, name, annotation, Some(token)).await?;
    answer(clusters, name, &before, token, handled).await
}

/// Waits until the operator has answered what was just asked for.
pub async fn answer(
    clusters: &Api<ChamberCluster>,
    name: &str,
    before: &ChamberCluster,
    token: &str,
    handled: impl Fn(&VerbsStatus) -> Option<&String>,
) -> Result<Answer, Failure> {
    let verbs = before.status.as_ref().map(|status| &status.verbs);
    if verbs.and_then(&handled).is_some_and(|last| last == token) {
        return Ok(Answer {
            text: format!(
                "asked for in the same words before, and answered then: `kubectl chamber status {name}` shows what holds"
            ),
            exit: Exit::of(true),
        });
    }
    let answered = |found: Option<&ChamberCluster>| {
        let status = found.and_then(|cluster| cluster.status.as_ref());
        status.is_some_and(|status| handled(&status.verbs).is_some_and(|last| last == token))
    };
    let waited = await_condition(clusters.clone(), name, answered);
    let Ok(found) = tokio::time::timeout(PATIENCE, waited).await else {
        return Err(Failure::Cluster(format!(
            "chambercluster {name}: asked for, but the operator has not answered within {} s: is it running? `kubectl chamber status {name}` shows the answer when it comes",
            PATIENCE.as_secs()
        )));
    };
    let found = found.map_err(|why| Failure::Cluster(why.to_string()))?;
    let verbs = found
        .and_then(|cluster| cluster.status)
        .map(|status| status.verbs)
        .unwrap_or_default();
    Ok(Answer {
        exit: Exit::of(!verbs.refused),
        text: output::printable(&verbs.answer.unwrap_or_default()),
    })
}

/// Sets or removes one annotation, and gives the resource as it is then.
async fn annotate(
    clusters: &Api<ChamberCluster>,
    name: &str,
    annotation: &str,
    value: Option<&str>,
) -> Result<ChamberCluster, Failure> {
    let body = json!({ "metadata": { "annotations": { annotation: value } } });
    patch(clusters, name, &body, false).await
}

/// Merges something into the resource, and gives it as it is then, or with `dry_run` as it would be.
pub async fn patch(
    clusters: &Api<ChamberCluster>,
    name: &str,
    body: &serde_json::Value,
    dry_run: bool,
) -> Result<ChamberCluster, Failure> {
    let patch = Patch::Merge(body);
    let parameters = PatchParams {
        field_manager: Some("kubectl-chamber".to_owned()),
        dry_run,
        ..PatchParams::default()
    };
    clusters
        .patch(name, &parameters, &patch)
        .await
        .map_err(|why| refused(name, &why))
}
