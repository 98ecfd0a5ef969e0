//! Turns that watches bring about: what nobody tells is listed anew.

use std::future::pending;
use std::time::Duration;

use chamber_operator::reconcile::serve;
use chamber_operator::run::watch_namespace;
use serde_json::json;

use crate::bench::{SIGNER, TurnBench};

/// Longer than a list and a turn take, shorter than the pause after which a waiting cluster is looked at anyway.
const SOON: Duration = Duration::from_secs(10);

async fn until(bench: &TurnBench, reason: &str) {
    while bench.status()["reason"] != reason {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_gone_is_begun_anew_and_what_changed_meanwhile_is_seen() {
    let pause = |paused: bool| json!({"paused": paused});
    let bench = TurnBench::new(|signer| signer["spec"]["rollover"] = pause(true)).await;
    let controller = watch_namespace(&bench.api.client(), Some("n"));
    let story = async {
        until(&bench, "Paused").await;
        let go_on = |signer: &mut serde_json::Value| signer["spec"]["rollover"] = pause(false);
        bench.api.edit(SIGNER, go_on);
        let unseen = tokio::time::timeout(SOON, until(&bench, "Settling")).await;
        assert!(unseen.is_err(), "no watch told of it");
        bench.api.expire_watch("/chamberclusters");
        let seen = tokio::time::timeout(SOON, until(&bench, "Settling")).await;
        assert!(seen.is_ok(), "{}", bench.status()["reason"]);
    };
    tokio::select! {
        () = serve(controller, bench.ctx.clone(), pending()) => panic!("it ends"),
        () = story => {}
    }
}
