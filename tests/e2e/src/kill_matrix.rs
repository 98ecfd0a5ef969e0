//! The operator is killed at every call of a rollover, before it reaches its server and after it was answered.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fault_proxy::{Intercept, Moment, Seen, Then};
use futures::future::{join_all, try_join_all};

use crate::fault_bench::FaultBench;
use crate::operator_process::OperatorProcess;
use crate::run::Run;

/// Name of the cluster.
const NAME: &str = "kill";
/// The tenants whose rollovers are killed, each with an operator of its own: a rollover is waiting for the most part.
const LANES: [&str; 3] = ["lane_1", "lane_2", "lane_3"];
/// Tenants whose first start is killed, each once.
const FIRST: [&str; 12] = [
    "first_1", "first_2", "first_3", "first_4", "first_5", "first_6", "first_7", "first_8",
    "first_9", "first_10", "first_11", "first_12",
];
/// Of so many points, one is in a first start when only a sample is wanted.
const ONE_FIRST_IN: usize = 6;

/// Where the operator is killed: at the `nth` call of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    call: String,
    nth: usize,
    moment: Moment,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        write!(f, "{moment} {} #{}", self.call, self.nth)
    }
}

impl Point {
    fn intercept(&self) -> Intercept {
        Intercept {
            call: self.call.clone(),
            skip: self.nth - 1,
            times: 1,
            moment: self.moment,
            then: Then::Hold,
        }
    }
}

/// How many points there were, and what became of them.
#[derive(Default)]
pub struct Score {
    /// The rollover completed and no law was broken.
    pub passed: usize,
    /// It did not, or one was.
    pub failed: usize,
    /// The rollover had no such call this time: one status more or less, as pods come up together or one by one.
    pub missed: usize,
}

impl Score {
    fn add(&mut self, what: &str, point: &Point, took: Instant, result: &Result<bool>) {
        let seconds = took.elapsed().as_secs_f64();
        match result {
            Ok(true) => {
                self.passed += 1;
                println!("{what}, killed {point} ... ok ({seconds:.1} s)");
            }
            Ok(false) => {
                self.missed += 1;
                println!("{what}, killed {point} ... not reached this time ({seconds:.1} s)");
            }
            Err(error) => {
                self.failed += 1;
                println!("{what}, killed {point} ... FAILED ({seconds:.1} s): {error:#}");
            }
        }
    }
}

/// What is tried: a rollover of a lane's own tenant, or the first start of one that has none yet.
struct Trial {
    first: Option<&'static str>,
    point: Point,
}

/// What is left to try, and what became of the rest. Lanes take turns on one thread.
struct Trials<'s> {
    left: RefCell<VecDeque<Trial>>,
    score: RefCell<&'s mut Score>,
}

impl Trials<'_> {
    fn next(&self) -> Option<Trial> {
        self.left.borrow_mut().pop_front()
    }

    fn add(&self, what: &str, point: &Point, began: Instant, result: &Result<bool>) {
        self.score.borrow_mut().add(what, point, began, result);
    }
}

/// Tries all points, or an evenly spaced sample of so many. After an error the points that are left were not tried.
pub async fn run(sample: Option<usize>, score: &mut Score) -> Result<()> {
    let tenants: Vec<_> = LANES.into_iter().chain(FIRST).collect();
    let bench = Box::pin(FaultBench::set(NAME, &tenants)).await?;
    bench.allow_leases(&LANES).await?;
    let mut operators = Vec::new();
    for lane in LANES {
        let operator = OperatorProcess::prepare(&bench, lane).await?;
        operators.push(operator.with_lease(lane));
    }
    let lanes = LANES.iter().zip(&operators);
    let lanes =
        lanes.map(|(lane, operator)| Run::begin(&bench, bench.stage.tenant(lane)?, operator));
    let mut lanes: Vec<Run<'_>> = lanes.collect::<Result<_>>()?;
    let rehearsals = lanes.iter_mut().map(|lane| Box::pin(rehearse(lane)));
    let rehearsed = try_join_all(rehearsals).await?;
    let (first, rollover) = rehearsed.first().context("no lane")?;
    println!(
        "{} points in a rollover, {} in a first start (before and after each write to the API server but Leases and Events, and each call of KMS and STS)",
        rollover.len(),
        first.len()
    );
    let trials = Trials {
        left: RefCell::new(trials(first, rollover, sample)),
        score: RefCell::new(score),
    };
    let ended = join_all(
        lanes
            .into_iter()
            .map(|lane| Box::pin(try_all(lane, &trials))),
    )
    .await;
    ended.into_iter().collect::<Result<()>>()?;
    bench.stage.tear_down().await
}

/// The points of a first start and of a rollover, as this run has them.
async fn rehearse(lane: &mut Run<'_>) -> Result<(Vec<Point>, Vec<Point>)> {
    let first = points(&lane.roll().await.context("the first start")?);
    lane.sign().await?;
    let rollover = points(&lane.roll().await.context("the dry rollover")?);
    Ok((first, rollover))
}

/// Rollovers, and after them first starts: a lane's operator serves one tenant at a time.
fn trials(first: &[Point], rollover: &[Point], sample: Option<usize>) -> VecDeque<Trial> {
    let firsts = sample.map_or(FIRST.len(), |points| FIRST.len().min(points / ONE_FIRST_IN));
    let wanted = sample.map_or(rollover.len(), |points| points.saturating_sub(firsts));
    let trial = |first, point: &Point| Trial {
        first,
        point: point.clone(),
    };
    let rollovers = spaced(rollover, wanted).map(|point| trial(None, point));
    let starts = FIRST.into_iter().zip(spaced(first, firsts));
    rollovers
        .chain(starts.map(|(tenant, point)| trial(Some(tenant), point)))
        .collect()
}

/// One lane, until nothing is left to try.
async fn try_all(mut lane: Run<'_>, trials: &Trials<'_>) -> Result<()> {
    let (bench, operator) = (lane.bench, lane.process);
    while let Some(Trial { first, point }) = trials.next() {
        let began = Instant::now();
        let Some(tenant) = first else {
            let result = Box::pin(lane.roll_killed_at(point.intercept())).await;
            trials.add("rollover", &point, began, &result);
            if result.is_err() {
                lane.recover().await?;
            }
            continue;
        };
        lane.rest().await?;
        let result = Box::pin(first_start(bench, tenant, operator, &point)).await;
        trials.add("first start", &point, began, &result);
    }
    lane.rest().await?;
    ensure!(lane.events() > 20, "the audit logs are empty");
    Ok(())
}

async fn first_start(
    bench: &FaultBench,
    tenant: &str,
    operator: &OperatorProcess,
    point: &Point,
) -> Result<bool> {
    let mut run = Run::begin(bench, bench.stage.tenant(tenant)?, operator)?;
    let reached = Box::pin(run.roll_killed_at(point.intercept())).await;
    run.stop().await?;
    reached
}

/// Before and after each call that is a point.
fn points(calls: &[Seen]) -> Vec<Point> {
    let calls = calls.iter().filter(|call| call.is_point());
    calls
        .flat_map(|call| {
            [Moment::Before, Moment::After].map(|moment| Point {
                call: call.name.clone(),
                nth: call.nth,
                moment,
            })
        })
        .collect()
}

/// So many of them, evenly spaced, each at most once; before and after in turn.
fn spaced<T>(all: &[T], wanted: usize) -> impl Iterator<Item = &T> {
    let wanted = wanted.min(all.len());
    (0..wanted).map(move |index| {
        let pair = index * all.len() / wanted / 2;
        &all[2 * pair + index % 2]
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_sample_is_spread_over_all() {
        let all: Vec<_> = (0..100).collect();
        let some: Vec<_> = spaced(&all, 4).copied().collect();
        assert_eq!(some, [0, 25, 50, 75]);
        let moments: Vec<_> = spaced(&all, 3).map(|index| index % 2).collect();
        assert_eq!(moments, [0, 1, 0]);
        for wanted in [51, 67, 99, 100, 200] {
            let distinct: BTreeSet<_> = spaced(&all, wanted).collect();
            assert_eq!(distinct.len(), wanted.min(100));
        }
        assert_eq!(spaced(&all, 0).count(), 0);
    }

    #[test]
    fn a_point_is_tried_before_and_after() {
        let call = |name: &str, nth, kind| Seen {
            name: name.into(),
            kind,
            nth,
            status: None,
        };
        let calls = [
            call("GET pods", 1, fault_proxy::Kind::Read),
            call("PATCH replicasets", 2, fault_proxy::Kind::Write),
        ];
        let said: Vec<_> = points(&calls).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["before PATCH replicasets #2", "after PATCH replicasets #2"]
        );
    }
}
