//! Two operators: a leader that sleeps past its lease, and versions that take turns.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fault_proxy::{FaultProxy, Kind, Moment, Seen, Then};

use super::{ALWAYS, catch, soon};
use crate::operator_process::{Operator, OperatorProcess};
use crate::run::Run;

/// The program of another version.
const OTHER: &str = "OTHER_OPERATOR";
/// How long a leader that was woken may take to notice.
const NOTICE: Duration = Duration::from_secs(30);
/// The leader sleeps in the middle of Roll; the standby leads; the sleeper wakes while the standby acts.
pub(super) async fn leader_frozen_in_the_middle(run: &mut Run<'_>) -> Result<()> {
    let standby = OperatorProcess::prepare(run.bench, "standby").await?;
    let second = standby.start(run.bench, &run.tenant.namespace)?;
    run.declare().await?;
    run.step("Roll").await?;
    run.operator()?.freeze()?;
    woken_too_late(run, &standby, second).await
}

/// The leader sleeps between its last look at a policy and the write: the answer to the look is there when it wakes.
pub(super) async fn leader_frozen_before_a_policy_write(run: &mut Run<'_>) -> Result<()> {
    let standby = OperatorProcess::prepare(run.bench, "standby").await?;
    let second = standby.start(run.bench, &run.tenant.namespace)?;
    let proxy = &run.process.proxy;
    // Three keys are read for the plan; the fourth reading is the one that comes just before a write.
    let mut look = proxy.set(fault_proxy::Intercept {
        call: "GetKeyPolicy".into(),
        skip: run.tenant.keys.len(),
        times: ALWAYS,
        moment: Moment::After,
        then: Then::Delay,
    });
    run.declare().await?;
    soon(look.caught(run.tenant.keys.len()))
        .await
        .context("no policy is looked at")?;
    run.operator()?.freeze()?;
    proxy.release();
    woken_too_late(run, &standby, second).await
}

/// The sleeper wakes when the standby has begun to act: nothing that it does from then on takes effect.
async fn woken_too_late(
    run: &mut Run<'_>,
    standby: &OperatorProcess,
    second: Operator,
) -> Result<()> {
    let mut acts = catch(&standby.proxy, "PATCH", 1, Moment::After, Then::Pass);
    soon(acts.caught(1))
        .await
        .context("the standby did not take over")?;
    run.process.proxy.mark();
    run.operator()?.wake()?;
    let ended = run.operator()?.ended(NOTICE).await;
    let completed = run.complete().await;
    idle(&run.process.proxy)?;
    ended.context("the leader that was woken goes on")?;
    second.kill().await?;
    run.lead().await?;
    completed
}

/// No policy and no tag was sent, and no write that was sent was taken. Events are told: they say what was done before.
fn idle(proxy: &FaultProxy) -> Result<()> {
    let sent = proxy.seen();
    let changes = |call: &&Seen| match call.kind {
        Kind::Key => call.name.starts_with("PutKeyPolicy") || call.name.starts_with("TagResource"),
        Kind::Write | Kind::Housekeeping => call.was_done() && !call.name.ends_with(" events"),
        Kind::Read => false,
    };
    let wrote: Vec<_> = sent.iter().filter(changes).map(|call| &call.name).collect();
    ensure!(
        wrote.is_empty(),
        "the leader that was woken wrote: {wrote:?}"
    );
    let tried = |call: &&Seen| matches!(call.kind, Kind::Write | Kind::Housekeeping);
    let tried = sent.iter().filter(tried);
    let tried: Vec<_> = tried
        .map(|call| format!("{} ({:?})", call.name, call.status))
        .collect();
    if !tried.is_empty() {
        println!("note: the leader that was woken sent: {tried:?}");
    }
    Ok(())
}

/// Each version ends a rollover that the other one began.
pub(super) async fn two_versions_take_turns(run: &mut Run<'_>) -> Result<()> {
    let program = std::env::var_os(OTHER).filter(|program| !program.is_empty());
    let other = if let Some(program) = program.map(PathBuf::from) {
        OperatorProcess::prepare_with(run.bench, "other", program).await?
    } else {
        println!(
            "note: {OTHER} names no other version: this build under another name stands in for it"
        );
        OperatorProcess::prepare(run.bench, "other").await?
    };
    let second = other.start(run.bench, &run.tenant.namespace)?;
    run.declare().await?;
    run.step("Roll").await?;
    run.stop().await?;
    // The other version ends it.
    run.complete().await?;
    run.start()?;
    run.declare().await?;
    run.step("Roll").await?;
    second.kill().await?;
    run.complete().await
}
