//! Rollovers while something around the operator fails: each completes, no law is broken, nothing is lost.

mod keys;
mod operators;
mod servers;

use std::time::Instant;

use anyhow::{Result, ensure};
use fault_proxy::{FaultProxy, Intercept, Intercepted, Moment, Then};
use futures::future::BoxFuture;

use crate::fault_bench::FaultBench;
use crate::operator_process::OperatorProcess;
use crate::run::Run;
use crate::stage::SOON;

/// Name of the cluster.
const NAME: &str = "faults";
/// The tenant whose rollovers are disturbed.
const MAIN: &str = "main";
/// The tenant whose first start is disturbed.
const FIRST: &str = "first";
/// A intercept's `times` for every call.
const ALWAYS: usize = usize::MAX / 2;

/// A fault, and what is expected while it lasts.
struct Fault {
    name: &'static str,
    /// Plays it during one rollover, to its end.
    play: for<'a, 'b> fn(&'b mut Run<'a>) -> BoxFuture<'b, Result<()>>,
}

/// A fault from an async function of the same name.
macro_rules! fault {
    ($module:ident :: $name:ident) => {
        Fault {
            name: stringify!($name),
            play: |run| Box::pin($module::$name(run)),
        }
    };
}

const ALL: &[Fault] = &[
    fault!(keys::throttled),
    fault!(keys::internal_errors),
    fault!(keys::time_outs),
    fault!(keys::slow_policies),
    fault!(keys::lost_answers_of_key_writes),
    fault!(servers::lost_answers_of_api_writes),
    fault!(servers::lost_answers_in_a_first_start),
    fault!(servers::prometheus_away),
    fault!(operators::leader_frozen_in_the_middle),
    fault!(operators::leader_frozen_before_a_policy_write),
    fault!(operators::two_versions_take_turns),
    // Last: endpoints follow the pods late for a while after these, and signatures fail that nobody else is to blame for.
    fault!(servers::api_server_killed),
    fault!(servers::api_server_away_past_the_lease),
    fault!(servers::etcd_killed),
    fault!(servers::kubelet_stopped),
];

/// What became of the faults.
#[derive(Default)]
pub struct Score {
    /// The rollover went as it had to.
    pub passed: usize,
    /// It did not.
    pub failed: usize,
}

/// Plays those whose name contains one of `wanted`, or all. After an error the faults that are left were not played.
pub async fn run(wanted: &[String], score: &mut Score) -> Result<()> {
    let bench = Box::pin(FaultBench::set(NAME, &[MAIN, FIRST])).await?;
    let operator = OperatorProcess::prepare(&bench, "operator").await?;
    let mut run = Run::begin(&bench, bench.stage.tenant(MAIN)?, &operator)?;
    run.roll().await?;
    run.sign().await?;
    let meant = |fault: &&Fault| {
        wanted.is_empty() || wanted.iter().any(|word| fault.name.contains(word.as_str()))
    };
    for fault in ALL.iter().filter(meant) {
        let began = Instant::now();
        let result = (fault.play)(&mut run).await;
        let seconds = began.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                score.passed += 1;
                println!("fault {} ... ok ({seconds:.1} s)", fault.name);
            }
            Err(error) => {
                score.failed += 1;
                println!(
                    "fault {} ... FAILED ({seconds:.1} s): {error:#}",
                    fault.name
                );
                run.recover().await?;
            }
        }
    }
    ensure!(run.events() > 20, "the audit logs are empty");
    bench.stage.tear_down().await
}

/// Catches the next `times` calls of this name.
fn catch(proxy: &FaultProxy, call: &str, times: usize, moment: Moment, then: Then) -> Intercepted {
    proxy.set(Intercept {
        call: call.into(),
        skip: 0,
        times,
        moment,
        then,
    })
}

/// Waits, but not for ever: a lease and more.
async fn soon<T>(what: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::time::timeout(SOON, what).await?)
}
