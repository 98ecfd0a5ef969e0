//! What a rollover would change in the policies, before anything is changed.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use key_policy::{Access, Change, Finding, Policy};
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};

use crate::{
    AdmittedSet, Key, KeyFacts, Obstacle, Plan, Reading, Release, Rollover, Set, Share, Step,
    World, desired, keys, manifest, measure, takeover,
};

/// What a rollover would change in the policies.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The release before.
    pub from: Option<Release>,
    /// The target.
    pub to: Release,
    /// What keeps it from beginning, as far as the keys and the manifest show it.
    pub objection: Option<Obstacle>,
    /// What the chambers are rolled for beside, or in place of, another image.
    pub manifest: Option<ManifestChange>,
    /// By key, in the order of the spec.
    pub keys: Vec<KeyPreview>,
}

/// Chambers read their manifest at their start, so another one rolls each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestChange {
    /// The enclaves lock another PCR16: before and after, where there is one.
    Register(Option<Pcr>, Option<Pcr>),
    /// Image and registers stay: it is the template, or a manifest that the image does not read.
    SameImage,
}

impl ManifestChange {
    fn between(from: &Release, to: &Release) -> Option<Self> {
        let register = |release: &Release| release.measurement.register(MANIFEST_REGISTER).copied();
        let (before, after) = (register(from), register(to));
        if from.revision == to.revision {
            return None;
        }
        if before != after {
            return Some(Self::Register(before, after));
        }
        let same = from.image == to.image && from.measurement == to.measurement;
        same.then_some(Self::SameImage)
    }
}

impl Display for ManifestChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(Some(before), Some(after)) => write!(
                f,
                "the manifest is another one (PCR16 {before} -> {after}): every chamber is rolled"
            ),
            Self::Register(None, Some(after)) => write!(
                f,
                "the chambers come under a manifest (PCR16 none -> {after}): every chamber is rolled"
            ),
            Self::Register(..) => f.write_str(
                "the chambers are under no manifest any more (no PCR16: spec.release.authorities is empty, or spec.manifest no Run manifest): every chamber is rolled",
            ),
            Self::SameImage => f.write_str(
                "the image stays; spec.chambers.template or spec.manifest is another one: every chamber is rolled",
            ),
        }
    }
}

/// What a rollover would change in one key's policy.
#[derive(Clone, Debug)]
pub struct KeyPreview {
    /// Name of the share.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
    /// The operator writes (true), or the key's holder.
    pub managed: bool,
    /// What speaks against the key beside its policy; the rollover begins all the same.
    pub findings: Vec<Finding>,
    /// What would change, or why that cannot be said.
    pub changes: Result<Changes, String>,
}

/// The policies now, after Admit and after Retire.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The policy was made by somebody else: it is written only with `spec.keys.policy.adopt`.
    pub takes_over: bool,
    /// Bytes of each, now, after Admit, after Retire.
    pub sizes: [usize; 3],
    /// What Admit changes.
    pub admit: Vec<Change>,
    /// What Retire changes after it.
    pub retire: Vec<Change>,
    /// Who may do what under each.
    pub access: Vec<Access>,
}

/// What the rollover in flight still changes, or one to the spec's release would.
pub fn preview(world: &World) -> Preview {
    let world = &with_what_runs(world);
    let recorded = world.record.rollover.clone();
    let (rollover, objection) = match recorded {
        Some(rollover) => (rollover, fault(keys::healthy(world, Step::Measure))),
        None => next(world),
    };
    let stages = Stages {
        both: AdmittedSet::both(world, &rollover),
        only: AdmittedSet::only(world, &rollover.to.measurement),
        retires: world.retires(&rollover),
    };
    let keys = world.keys().map(|Key { share, reading }| KeyPreview {
        name: share.name.clone(),
        arn: share.arn.clone(),
        managed: share.managed,
        findings: match reading {
            Reading::Facts(facts) => facts.findings(),
            Reading::Unread | Reading::Failed { .. } => Vec::new(),
        },
        changes: match reading {
            Reading::Unread => Err("it was not read yet".to_owned()),
            Reading::Failed { message, .. } => Err(message.clone()),
            Reading::Facts(facts) => changes(share, facts, &stages),
        },
    });
    Preview {
        keys: keys.collect(),
        manifest: rollover
            .from
            .as_ref()
            .and_then(|from| ManifestChange::between(from, &rollover.to)),
        from: rollover.from,
        to: rollover.to,
        objection,
    }
}

/// The policy that a key is to hold at this moment, as status asks its holder for it.
///
/// # Errors
///
/// It was not read, or what was found cannot be put right.
pub fn document(world: &World, share: &Share) -> Result<Policy, String> {
    let world = &with_what_runs(world);
    let found = match world.readings.get(&share.arn) {
        Some(Reading::Facts(facts)) => facts.policy.as_ref().ok(),
        Some(Reading::Failed { message, .. }) => return Err(message.clone()),
        Some(Reading::Unread) | None => return Err("it was not read yet".to_owned()),
    };
    let set = AdmittedSet::recorded(world, &world.record);
    desired::policy(&set, share, found).map_err(|fault| fault.to_string())
}

/// Where chambers were not looked at, what status calls the current release counts as running: nothing is written.
fn with_what_runs(world: &World) -> World {
    let mut world = world.clone();
    if world.sets.is_empty()
        && let Some(current) = &world.record.current
    {
        world.sets.push(Set {
            name: current.revision.clone(),
            version: String::new(),
            fenced: false,
            release: current.clone(),
            replicas: world.spec.replicas,
            chambers: Vec::new(),
        });
    }
    world
}

/// A rollover to the spec's release, as if it began now.
fn next(world: &World) -> (Rollover, Option<Obstacle>) {
    let current = world.record.current.as_ref();
    let target = match (current, world.failed()) {
        (Some(current), Some(_)) => current,
        _ => &world.spec.release,
    };
    let (found, objection) = match takeover::next(world, current) {
        Ok(found) => (found, None),
        Err(fault) => (BTreeMap::new(), Some(fault)),
    };
    let mut rollover = Rollover::begin(current.cloned(), target.clone(), world.now);
    rollover.found = found;
    (
        rollover,
        fault(keys::healthy(world, Step::Measure))
            .or_else(|| fault(measure::barred(world, target, Step::Measure)))
            .or(objection)
            .or_else(|| unsigned(world, target)),
    )
}

/// What the manifest lacks for the spec's release, whether a person is asked for it or something is wrong with it.
fn unsigned(world: &World, target: &Release) -> Option<Obstacle> {
    if *target != world.spec.release {
        return None;
    }
    let plan = manifest::unpinnable(world, Step::Measure)
        .or_else(|| manifest::wanted(world, Step::Measure))?;
    plan.obstacle().cloned()
}

fn fault(plan: Option<Plan>) -> Option<Obstacle> {
    match plan {
        Some(Plan::Block { obstacle, .. }) => Some(obstacle),
        _ => None,
    }
}

/// What policies hold while both releases run, and in the end.
struct Stages {
    both: AdmittedSet,
    only: AdmittedSet,
    /// Retire has begun: nothing is admitted any more.
    retires: bool,
}

fn changes(share: &Share, facts: &KeyFacts, stages: &Stages) -> Result<Changes, String> {
    let now = facts.policy.as_ref().map_err(Clone::clone)?;
    let foreign = key_policy::projects(now, &share.template).is_err();
    // What is not allowed yet, or is the holder's to do, is shown as it would be.
    let share = &Share {
        managed: true,
        adopt: share.adopt || foreign,
        ..share.clone()
    };
    let wanted = |found: &Policy, live: &[Measurement]| {
        keys::wanted(share, found, live).map_err(|fault| fault.to_string())
    };
    let both = stages.both.for_key(share, now);
    let admitted = if stages.retires {
        now.clone()
    } else {
        wanted(now, &both)?
    };
    let retired = wanted(&admitted, &stages.only.for_key(share, &admitted))?;
    Ok(Changes {
        takes_over: keys::adopts(share, now),
        sizes: [now, &admitted, &retired].map(Policy::size),
        admit: key_policy::diff(now, &admitted),
        retire: key_policy::diff(&admitted, &retired),
        access: key_policy::access(&[now, &admitted, &retired], &share.template, &both),
    })
}
