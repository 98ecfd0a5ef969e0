//! Planted bugs, one a law: the search must find each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use key_policy::Policy;
use rollover::{
    Action, Blob, Chamber, Change, Gate, Metrics, Obstacle, Phase, Plan, PodMetrics, Reading,
    Reason, Resize, SealPod, Step, Transition, World, plan, tags,
};

use crate::setup::{OTHER, Setup};
use crate::state::{AGE, FOREIGN};
use crate::world::COMMITMENT;

/// A bug in the planner or in the hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Law 1: one key is taken to agree without having been asked.
    TrustsTheLastKey,
    /// Law 2: a policy admits one image more.
    AdmitsAnotherImage,
    /// Law 3: one chamber more may be missing than the spec allows.
    StopsOneTooMany,
    /// Law 4: terminating chambers do not count.
    ForgetsLeavingChambers,
    /// Law 5: the old measurement leaves before that is recorded.
    RetiresUnrecorded,
    /// Law 6: an absent series is taken for zero.
    TakesAbsentForZero,
    /// Law 7: something is done where nothing is to be done.
    NeverRests,
    /// Law 8: root loses the key.
    LocksRootOut,
    /// Law 9: a statement of somebody else is dropped.
    DropsAStatement,
    /// Law 10: a policy is written whatever is there.
    WritesWithoutComparing,
    /// Law 10: an observed key is written as if it were managed.
    WritesForTheHolder,
    /// Law 10: a key that became Observed is written as before.
    OverlooksAnotherHolder,
    /// Law 1: the holder of an observed key is not waited for.
    PassesTheHolderBy,
    /// Law 5: what was found on a key that is taken over is forgotten.
    ForgetsWhatWasFound,
    /// Law 11: a lost status means a new seal.
    SealsAnew,
    /// Law 10: a key is written although its tags were lost.
    WritesUnclaimed,
    /// Law 2: what status alone calls the target is admitted.
    BelievesStatus,
    /// Law 2: one holder's word takes an image out of every key.
    BelievesOneHolder,
    /// Law 10: another cluster's keys are taken over, and nobody asked.
    TakesAnothersKeys,
    /// Law 4: chambers are not asked what they attest.
    SkipsTheGate,
    /// Law 1: of one image under two manifests, the keys admit the newer one alone, as if it were the same.
    OverlooksManifests,
    /// Law 10: a policy that something else changes back is put right for ever.
    FightsOn,
    /// Law 12: a `ReplicaSet` that is gone is made again from what the spec names now.
    MakesFromAnother,
    /// Law 12: a Secret is trusted, whoever put it there.
    TrustsAnySecret,
    /// Law 12: a pod of the seal pod's name is overlooked.
    OverlooksAnothersPod,
    /// Law 10: a key whose ARN was corrected shows what the old one said.
    ShowsTheOldKey,
    /// Law 6: a release is blamed for nodes that are full.
    BlamesFullNodes,
    /// Law 1: a reading from before the clock was set back is taken for a fresh one.
    BelievesTheFuture,
    /// Law 1: a Deny of which nobody can say whether it holds is taken not to hold.
    OverlooksFences,
    /// Law 2: the second of two revocations is forgotten.
    ForgetsTheSecondRevocation,
    /// Law 2: a key that takes no tags keeps what was revoked.
    WaitsForTags,
    /// No end: another number of chambers is not heard of.
    OverlooksTheNumber,
    /// No end: a seal pod that cannot start is waited for.
    WaitsForAStuckPod,
    /// No end: holders of all keys are asked for both releases for ever.
    NeverRetires,
    /// No end: it stops for a disabled key, and none is.
    StopsForNothing,
}

/// Every planted bug with the law that it breaks; 0 where what is wanted is never reached.
pub const ALL: [(u8, Mutant); 35] = [
    (1, Mutant::TrustsTheLastKey),
    (2, Mutant::AdmitsAnotherImage),
    (3, Mutant::StopsOneTooMany),
    (4, Mutant::ForgetsLeavingChambers),
    (5, Mutant::RetiresUnrecorded),
    (6, Mutant::TakesAbsentForZero),
    (7, Mutant::NeverRests),
    (8, Mutant::LocksRootOut),
    (9, Mutant::DropsAStatement),
    (10, Mutant::WritesWithoutComparing),
    (10, Mutant::WritesForTheHolder),
    (10, Mutant::OverlooksAnotherHolder),
    (1, Mutant::PassesTheHolderBy),
    (5, Mutant::ForgetsWhatWasFound),
    (11, Mutant::SealsAnew),
    (10, Mutant::WritesUnclaimed),
    (2, Mutant::BelievesStatus),
    (2, Mutant::BelievesOneHolder),
    (10, Mutant::TakesAnothersKeys),
    (10, Mutant::FightsOn),
    (12, Mutant::MakesFromAnother),
    (1, Mutant::OverlooksFences),
    (1, Mutant::OverlooksManifests),
    (4, Mutant::SkipsTheGate),
    (12, Mutant::TrustsAnySecret),
    (12, Mutant::OverlooksAnothersPod),
    (10, Mutant::ShowsTheOldKey),
    (6, Mutant::BlamesFullNodes),
    (1, Mutant::BelievesTheFuture),
    (2, Mutant::ForgetsTheSecondRevocation),
    (2, Mutant::WaitsForTags),
    (0, Mutant::OverlooksTheNumber),
    (0, Mutant::WaitsForAStuckPod),
    (0, Mutant::NeverRetires),
    (0, Mutant::StopsForNothing),
];

impl Mutant {
    /// What the planner would say with this bug.
    pub fn plan(self, setup: &Setup, world: &World) -> Plan {
        let mut seen = world.clone();
        match self {
            Self::TrustsTheLastKey | Self::PassesTheHolderBy => trust_last(setup, &mut seen),
            Self::StopsOneTooMany => {
                seen.spec.max_unavailable += 1;
                seen.budget = Some(u32::MAX);
            }
            Self::ForgetsLeavingChambers => {
                for set in &mut seen.sets {
                    set.chambers
                        .retain(|chamber: &Chamber| !chamber.terminating());
                }
            }
            Self::TakesAbsentForZero => fill_metrics(&mut seen),
            Self::WritesForTheHolder | Self::OverlooksAnotherHolder => {
                for share in &mut seen.spec.shares {
                    share.managed = true;
                }
            }
            Self::ForgetsWhatWasFound => {
                if let Some(rollover) = &mut seen.record.rollover {
                    rollover.found.clear();
                }
            }
            Self::SkipsTheGate => seen.spec.gate = Gate::Disabled,
            Self::SealsAnew => forget_the_seal(&mut seen),
            Self::WritesUnclaimed => claim_all(&mut seen),
            Self::BelievesStatus => {
                if let Some(rollover) = &seen.record.rollover {
                    seen.spec.release = rollover.to.clone();
                }
            }
            Self::BelievesOneHolder => believe_one(setup, &mut seen),
            Self::OverlooksFences => {
                for share in &mut seen.spec.shares {
                    let assumed = ("aws:SourceVpce".to_owned(), "vpce-1".to_owned());
                    share.template.assume = [assumed].into();
                }
            }
            Self::TrustsAnySecret | Self::OverlooksAnothersPod | Self::WaitsForAStuckPod => {
                self.trusts(&mut seen);
            }
            Self::WaitsForTags => {
                for refusal in seen.refusals.values_mut() {
                    refusal.change = Change::Policy;
                }
            }
            Self::OverlooksTheNumber => seen.spec.replicas = setup.spec.replicas,
            Self::ShowsTheOldKey => {
                for (index, share) in world.spec.shares.iter().enumerate() {
                    if let Some(old) = seen.readings.remove(&setup.arn(index, false)) {
                        seen.readings.entry(share.arn.clone()).or_insert(old);
                    }
                }
            }
            Self::BlamesFullNodes => {
                let sets = seen.sets.iter_mut();
                for chamber in sets.flat_map(|set| &mut set.chambers) {
                    let long_ago = Some(setup.ago(AGE));
                    (chamber.failing, chamber.scheduled_at) = (None, long_ago);
                }
            }
            Self::BelievesTheFuture => {
                for reading in seen.readings.values_mut() {
                    if let Reading::Facts(facts) = reading
                        && facts.read_at > world.now
                    {
                        Arc::make_mut(facts).read_at = world.now;
                    }
                }
            }
            Self::ForgetsTheSecondRevocation => seen.record.revoked.truncate(1),
            Self::FightsOn => seen.record.written.clear(),
            Self::MakesFromAnother => {
                let revisions = setup.releases.iter();
                seen.templates = revisions.map(|one| one.revision.clone()).collect();
            }
            Self::TakesAnothersKeys => seen.spec.verbs.transfer = Some(OTHER.to_owned()),
            _ => {}
        }
        self.spoil(setup, &seen, plan(&seen))
    }

    /// What is not ours is taken to be, or not to be there; what cannot start, to be at work.
    fn trusts(self, world: &mut World) {
        if self == Self::WaitsForAStuckPod && matches!(world.seal_pod, SealPod::Stuck(_)) {
            let (since, unanswered) = (world.now, None);
            world.seal_pod = SealPod::Running { since, unanswered };
        }
        if self == Self::OverlooksAnothersPod && matches!(world.seal_pod, SealPod::Foreign(_)) {
            world.seal_pod = SealPod::Absent;
        }
        let blobs = world.blobs.values_mut();
        for blob in blobs.filter(|_| self == Self::TrustsAnySecret) {
            let commitment = COMMITMENT.to_owned();
            *blob = Blob::Sound { commitment };
        }
    }

    fn spoil(self, setup: &Setup, world: &World, next: Plan) -> Plan {
        match (self, next) {
            (Self::AdmitsAnotherImage, next) => each_write(next, |write_key, policy| {
                let index = index(world, write_key);
                let images = setup.images(index, policy).unwrap_or(0);
                Some(setup.policy(index, images | FOREIGN).clone())
            }),
            (Self::OverlooksManifests, next) => each_write(next, |write_key, policy| {
                let index = index(world, write_key);
                let images = setup.images(index, policy).unwrap_or(0);
                Some(
                    setup
                        .policy(index, if images == 0b11 { 0b10 } else { images })
                        .clone(),
                )
            }),
            (Self::LocksRootOut, next) => each_write(next, |_, policy| {
                without(policy, "EnableIAMRootPermissionsBreakGlass")
            }),
            (Self::DropsAStatement, next) => each_write(next, |_, policy| without(policy, "Audit")),
            (Self::RetiresUnrecorded, next) => retire_at_once(world, next),
            (Self::NeverRests, Plan::Settled { .. }) => Plan::Act {
                step: Step::Settled,
                action: Action::Resize(world.sets.iter().map(idle).collect()),
            },
            (Self::NeverRetires, next) if begins_to_retire(&next) => Plan::Wait {
                step: Step::Retire,
                obstacle: Obstacle::reported(Reason::AwaitingKeyHolder, "both releases"),
                until: None,
            },
            (Self::StopsForNothing, Plan::Wait { step, .. }) => Plan::Block {
                step,
                obstacle: Obstacle::reported(Reason::KeyNotEnabled, "key a is Disabled"),
            },
            (_, next) => next,
        }
    }
}

fn begins_to_retire(next: &Plan) -> bool {
    matches!(
        next,
        Plan::Act {
            action: Action::Transition(Transition::RetireBegun),
            ..
        }
    )
}

fn idle(set: &rollover::Set) -> Resize {
    Resize {
        release: set.release.clone(),
        version: set.version.clone(),
        from: set.replicas,
        to: set.replicas,
    }
}

fn index(world: &World, arn: &str) -> usize {
    let found = world.spec.shares.iter().position(|share| share.arn == arn);
    found.unwrap_or(0)
}

/// Takes the last key's policy for one that admits whatever the rollover needs.
fn trust_last(setup: &Setup, world: &mut World) {
    let Some(rollover) = world
        .record
        .rollover
        .as_ref()
        .filter(|rollover| !rollover.retires())
    else {
        return;
    };
    let live = rollover.from.iter().chain([&rollover.to]);
    let images = live.fold(0, |images, release| images | 1 << setup.index(release));
    let last = world.spec.shares.len() - 1;
    let arn = &world.spec.shares[last].arn;
    if let Some(Reading::Facts(facts)) = world.readings.get_mut(arn) {
        Arc::make_mut(facts).policy = Ok(setup.policy(last, images).clone());
    }
}

fn fill_metrics(world: &mut World) {
    let names: Vec<_> = world
        .chambers()
        .map(|chamber| chamber.name.clone())
        .collect();
    let now = world.now;
    let opened = crate::world::opened(world, now);
    if let Some(Metrics::Known { pods, .. }) = &mut world.metrics
        && pods.is_empty()
    {
        let good = PodMetrics {
            unsealed: Some(1.0),
            sampled_at: Some(now),
            unsealed_before: Some(now),
            rejected: Some(0.0),
            opened,
        };
        *pods = names.into_iter().map(|name| (name, good.clone())).collect();
    }
}

fn forget_the_seal(world: &mut World) {
    if world.record.current.is_some() {
        return;
    }
    world.record.commitment = None;
    world.blobs = BTreeMap::new();
    for reading in world.readings.values_mut() {
        if let Reading::Facts(facts) = reading {
            Arc::make_mut(facts).tags.remove(tags::COMMITMENT);
        }
    }
}

fn claim_all(world: &mut World) {
    let owner = world.spec.owner.clone();
    let progress = tags::progress_text(tags::recorded(&world.record));
    for reading in world.readings.values_mut() {
        if let Reading::Facts(facts) = reading {
            let tags = &mut Arc::make_mut(facts).tags;
            tags.insert(tags::OWNER.to_owned(), owner.tag());
            tags.insert(tags::ROLLOVER.to_owned(), progress.clone());
            tags.remove(tags::HEALED_AT);
        }
    }
}

/// What any key's tags call revoked was asked for by the user, too.
fn believe_one(setup: &Setup, world: &mut World) {
    let images = setup.releases.iter();
    let images = images.map(|release| release.measurement.image_sha384);
    let tagged: Vec<_> = images.filter(|image| world.bars(image).is_some()).collect();
    let asked = tagged.iter().map(|image| format!("{image} so it says\n"));
    let asked: String = asked.collect();
    if !asked.is_empty() {
        world.record.revoked.extend(tagged);
        world.record.handled.revoke = Some(asked.clone());
        world.spec.verbs.revoke = Some(asked);
    }
}

fn retire_at_once(world: &World, next: Plan) -> Plan {
    if !begins_to_retire(&next) {
        return next;
    }
    let mut world = world.clone();
    let mut stays = String::new();
    if let Some(rollover) = &mut world.record.rollover {
        rollover.phase = Phase::Retiring { since: world.now };
        stays = tags::retired_for(&rollover.to.measurement);
    }
    for reading in world.readings.values_mut() {
        if let Reading::Facts(facts) = reading {
            let text = tags::progress_text((world.record.rollovers, true));
            let tags = &mut Arc::make_mut(facts).tags;
            tags.insert(tags::ROLLOVER.to_owned(), text);
            tags.insert(tags::RETIRED_FOR.to_owned(), stays.clone());
        }
    }
    plan(&world)
}

fn each_write(next: Plan, change: impl Fn(&str, &Policy) -> Option<Policy>) -> Plan {
    match next {
        Plan::Act {
            step,
            action: Action::WritePolicies(mut writes),
        } => {
            for write in &mut writes {
                if let Some(changed) = change(&write.arn, &write.policy) {
                    write.policy = changed;
                }
            }
            Plan::Act {
                step,
                action: Action::WritePolicies(writes),
            }
        }
        next => next,
    }
}

/// The same policy without one statement.
fn without(policy: &Policy, sid: &str) -> Option<Policy> {
    let mut document: serde_json::Value = serde_json::from_str(&policy.to_json()).ok()?;
    let statements = document.get_mut("Statement")?.as_array_mut()?;
    statements.retain(|statement| statement["Sid"] != sid);
    Policy::parse(&document.to_string()).ok()
}
