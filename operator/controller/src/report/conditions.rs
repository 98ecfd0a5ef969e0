//! Conditions: metav1.Condition, whose transition time moves with the status alone.

mod binding;

use chamber_api::{ChamberCluster, ChamberClusterStatus, conditions as types};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use rollover::{Key, KeyState, Outlook, Reading, Reason, World};

use binding::Binding;

/// One condition before it has times.
struct Claim {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

impl Claim {
    fn new(kind: &'static str, holds: bool, reason: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: if holds { "True" } else { "False" },
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    fn unknown(kind: &'static str, reason: &str, message: &str) -> Self {
        Self {
            status: "Unknown",
            ..Self::new(kind, false, reason, message)
        }
    }
}

/// Why something is waited for, and whether that has lasted.
#[derive(Clone, Copy)]
pub struct Stop {
    /// Why.
    pub reason: Reason,
    /// Whether it was seen again for a while.
    pub lasts: bool,
}

impl Stop {
    /// Whether somebody has to put something right.
    fn needs_a_cure(self) -> bool {
        match self.reason.outlook() {
            Outlook::NeedsACure => true,
            Outlook::NeedsACureWhereItLasts => self.lasts,
            Outlook::WaitsByItself | Outlook::WaitsForAPerson => false,
        }
    }
}

/// Whether status calls the resource stalled for this reason.
pub fn stalled_for(cluster: &ChamberCluster, reason: Reason) -> bool {
    let mut conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|found| {
        found.type_ == types::STALLED
            && found.status == "True"
            && found.reason == reason.to_string()
    })
}

/// Nothing was looked at, for this reason.
pub fn unseen(
    status: &mut ChamberClusterStatus,
    generation: Option<i64>,
    now: Timestamp,
    stop: Stop,
    message: &str,
) {
    let name = stop.reason.to_string();
    // Chambers that could not be listed may serve all the same; of a spec that cannot be used nothing is done.
    let ready = match stop.reason {
        Reason::ActionFailed => Claim::unknown(types::READY, &name, message),
        _ => Claim::new(types::READY, false, &name, message),
    };
    let claims = [
        Claim::new(types::STALLED, stop.needs_a_cure(), &name, message),
        Claim::new(types::RECONCILING, false, &name, message),
        ready,
        Claim::new(types::ROLLOVER_COMPLETE, false, &name, message),
        Claim::unknown(types::POLICIES_IN_SYNC, &name, message),
        Claim::unknown(types::RETIREMENT_BINDING, &name, message),
        Claim::unknown(types::MANIFEST_BINDING, &name, message),
        Claim::unknown(types::KEY_AT_RISK, &name, message),
    ];
    for claim in claims {
        set(status, generation, claim, now);
    }
}

/// Every condition, from what was observed and what is said of it.
pub fn set_all(
    status: &mut ChamberClusterStatus,
    generation: Option<i64>,
    world: &World,
    stop: Option<Stop>,
    message: Option<&str>,
) {
    let why = Why {
        stop,
        name: stop.map_or_else(|| "AsPlanned".to_owned(), |stop| stop.reason.to_string()),
        message: message.unwrap_or("it goes on"),
    };
    let claims = [
        ready(world),
        in_sync(status, world, &why),
        complete(status, world, &why),
        reconciling(status, world, &why),
        stuck(status, world, &why),
        key_at_risk(world),
    ];
    // An early report, a fault of the spec, say, may have left one that this cluster does not have.
    let mut kept: Vec<&str> = claims.iter().map(|claim| claim.kind).collect();
    for claim in claims {
        set(status, generation, claim, world.now);
    }
    for binding in [binding::retirement(world), binding::manifest(world)] {
        match binding {
            Binding::Said(claim) => {
                kept.push(claim.kind);
                set(status, generation, claim, world.now);
            }
            Binding::AsBefore(kind) => kept.push(kind),
            Binding::None => {}
        }
    }
    let others = |kind: &str| !types::ALL.contains(&kind);
    status.conditions.retain(|condition| {
        let kind = condition.type_.as_str();
        kept.contains(&kind) || others(kind)
    });
}

/// What is said of the moment.
struct Why<'a> {
    stop: Option<Stop>,
    name: String,
    message: &'a str,
}

fn ready(world: &World) -> Claim {
    let unsealed = world.unsealed();
    let least = world
        .spec
        .replicas
        .saturating_sub(world.spec.max_unavailable)
        .max(1);
    let serves = unsealed >= least;
    let reason = if serves {
        "ChambersUnsealed"
    } else {
        "ChambersSealed"
    };
    let message = format!(
        "{unsealed} of {} chambers are unsealed, {least} are needed",
        world.spec.replicas
    );
    Claim::new(types::READY, serves, reason, message)
}

fn in_sync(status: &ChamberClusterStatus, world: &World, why: &Why<'_>) -> Claim {
    let unread = world.any_unread();
    let all = status.keys.iter().all(|key| key.in_sync);
    let mut claim = if all {
        Claim::new(
            types::POLICIES_IN_SYNC,
            true,
            "InSync",
            "every policy holds exactly the live releases",
        )
    } else {
        Claim::new(types::POLICIES_IN_SYNC, false, &why.name, why.message)
    };
    if unread && !all {
        claim.status = "Unknown";
    }
    claim
}

fn complete(status: &ChamberClusterStatus, world: &World, why: &Why<'_>) -> Claim {
    let wanted = &world.spec.release.revision;
    let done = is_done(status, world);
    let message = if done {
        format!("all chambers were verified on release {wanted}")
    } else {
        why.message.to_owned()
    };
    let reason = if done { "Complete" } else { &why.name };
    Claim::new(types::ROLLOVER_COMPLETE, done, reason, message)
}

/// Whether the spec's release was verified, and nothing is in flight.
fn is_done(status: &ChamberClusterStatus, world: &World) -> bool {
    let current = status.current.as_ref().map(|current| &current.revision);
    status.rollover.is_none() && current == Some(&world.spec.release.revision)
}

/// A release that was not begun yet is on its way, too: kstatus would take it for done.
fn reconciling(status: &ChamberClusterStatus, world: &World, why: &Why<'_>) -> Claim {
    let done = is_done(status, world);
    let works = !done && !needs_a_cure(why);
    let reason = status.step.as_deref().unwrap_or("Settled");
    let message = if done && why.stop.is_none() {
        "no rollover is in flight"
    } else {
        why.message
    };
    Claim::new(types::RECONCILING, works, reason, message)
}

fn needs_a_cure(why: &Why<'_>) -> bool {
    why.stop.is_some_and(Stop::needs_a_cure)
}

/// Needs a cure, or a deadline has passed (kstatus).
fn stuck(status: &ChamberClusterStatus, world: &World, why: &Why<'_>) -> Claim {
    // What a person has asked for, or is asked for, passes no deadline.
    let by_design = |stop: Stop| stop.reason.outlook() == Outlook::WaitsForAPerson;
    let counts = !why.stop.is_some_and(by_design);
    let rollover = status.rollover.as_ref().filter(|_| counts);
    let deadline = rollover.and_then(|rollover| {
        let since = rollover.progressed_at.0;
        since.checked_add(world.spec.progress_deadline).ok()
    });
    if needs_a_cure(why) {
        return Claim::new(types::STALLED, true, &why.name, why.message);
    }
    if deadline.is_some_and(|deadline| world.now >= deadline) {
        let message = format!(
            "no progress for spec.rollover.progressDeadline: {}",
            why.message
        );
        return Claim::new(types::STALLED, true, "ProgressDeadlineExceeded", message);
    }
    let message = "nothing needs a cure, and no deadline has passed";
    Claim::new(types::STALLED, false, "AsPlanned", message)
}

fn key_at_risk(world: &World) -> Claim {
    let risk = world
        .keys()
        .find_map(|Key { share, reading }| match reading {
            Reading::Failed { message, .. } => Some(message.clone()),
            Reading::Facts(facts) => match &facts.state {
                KeyState::Enabled => None,
                KeyState::Other(state) => Some(format!("key {} is {state}", share.name)),
            },
            Reading::Unread => None,
        });
    match risk {
        Some(message) => Claim::new(types::KEY_AT_RISK, true, "KeyNotUsable", message),
        None => Claim::new(
            types::KEY_AT_RISK,
            false,
            "KeysUsable",
            "every key that was read can be used",
        ),
    }
}

fn set(status: &mut ChamberClusterStatus, generation: Option<i64>, claim: Claim, now: Timestamp) {
    let same = status
        .conditions
        .iter()
        .find(|old| old.type_ == claim.kind && old.status == claim.status);
    let since = same.map_or_else(|| super::time(now), |old| old.last_transition_time.clone());
    let condition = Condition {
        type_: claim.kind.to_owned(),
        status: claim.status.to_owned(),
        reason: claim.reason,
        message: claim.message,
        last_transition_time: Time(since.0),
        observed_generation: generation,
    };
    match status
        .conditions
        .iter_mut()
        .find(|old| old.type_ == claim.kind)
    {
        Some(old) => *old = condition,
        None => status.conditions.push(condition),
    }
}
