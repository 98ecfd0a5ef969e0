//! What the planner sees of a state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use measurement::{Measurement, Pcr};
use rollover::{
    AdmittedSet, Attestation, Attestations, Blob, Chamber, Change, Deletion, Failing, Failure,
    KeyFacts, KeyState, Manifest, Metrics, Phase, PodMetrics, Reading, Readings, Refusal, Release,
    SealPod, Verbs, World, Written, tags,
};

use crate::setup::{OTHER, Setup, measurement};
use crate::state::{self, Answers, Images, KEYS, Owned, Prometheus, RELEASES, Seal, Seen, State};

/// The commitment to the master key of every small world.
pub const COMMITMENT: &str = "c0ffee";
/// The commitment to a master key that somebody else made.
pub const ALIEN: &str = "bad";

/// What the planner sees before it asks for anything.
pub fn of(setup: &Setup, state: &State) -> World {
    let mut spec = setup.spec.clone();
    spec.release = setup.releases[usize::from(state.asked.release)].clone();
    spec.replicas = u32::from(state.asked.replicas);
    spec.paused = state.asked.paused;
    spec.verbs = verbs(setup, state);
    for (index, share) in spec.shares.iter_mut().enumerate() {
        share.managed = state.asked.observed & (1 << index) == 0;
        share.arn = setup.arn(index, state.asked.corrected);
    }
    spec.deletion = state.asked.deleting.then_some(Deletion { orphans: false });
    if setup.size.manifests {
        spec.authorities = vec!["authority".to_owned()];
        spec.manifest = Some(manifest(state));
    }
    World {
        now: setup.now,
        spec,
        record: record(setup, state),
        readings: readings(setup, state.seen.as_ref()),
        sets: sets(setup, state),
        templates: (0..RELEASES)
            .filter(|release| state.templates & (1 << release) != 0)
            .map(|release| setup.releases[release].revision.clone())
            .collect(),
        orphans: Vec::new(),
        objects: Vec::new(),
        seal_pod: seal_pod(setup, state),
        blobs: blobs(setup, state),
        other_keys: None,
        manifest_objection: None,
        blob_lacks: None,
        metrics: None,
        attestations: None,
        budget: None,
        finalizer: state.finalizer,
        ownership_conflict: None,
        retire_witnessed: state.witnessed.map(|(number, target)| {
            let id = tags::retired_for(&setup.releases[usize::from(target)].measurement);
            (u64::from(number), id)
        }),
        refusals: refusals(setup, state),
    }
}

/// What keys have refused, as the operator learns it with its first try.
fn refusals(setup: &Setup, state: &State) -> BTreeMap<String, Refusal> {
    let keys = state.keys[..setup.size.keys].iter().enumerate();
    let full = keys.filter(|(_, key)| key.full).map(|(index, _)| {
        let refusal = Refusal {
            since: setup.now,
            until: setup.now + setup.spec.drift_interval,
            change: Change::Tags,
            message: format!("key {index} takes no more tags"),
        };
        (setup.arn(index, state.asked.corrected), refusal)
    });
    full.collect()
}

/// What the authority signs is there in time: a permit before the seal, then the run manifest.
fn manifest(state: &State) -> Manifest {
    Manifest {
        digest: "digest".to_owned(),
        commitment: (state.sealed || state.blobs != 0).then(|| COMMITMENT.to_owned()),
        believed: true,
        signed_by: vec!["authority".to_owned()],
    }
}

fn seal_pod(setup: &Setup, state: &State) -> SealPod {
    let rollover = state.record.rollover.as_ref();
    let target = rollover.map_or(state.asked.release, |rollover| rollover.to);
    match state.seal {
        Seal::Absent => SealPod::Absent,
        Seal::Foreign => SealPod::Foreign("it has no owner".to_owned()),
        _ if state.sealer != target => SealPod::Outdated,
        Seal::Running => SealPod::Running {
            since: setup.now,
            unanswered: None,
        },
        Seal::Offers => SealPod::Offers {
            commitment: COMMITMENT.to_owned(),
        },
        Seal::Stuck => SealPod::Stuck("ImagePullBackOff".to_owned()),
        Seal::Failed => SealPod::Failed {
            wants_manifest: false,
            at: setup.ago(1),
            message: "it failed".to_owned(),
        },
    }
}

fn token(count: u8) -> Option<String> {
    (count > 0).then(|| count.to_string())
}

/// The annotation that asks for the revocation of these images, a line each.
fn revocation(setup: &Setup, images: Images) -> Option<String> {
    let releases = setup.releases.iter().enumerate();
    let asked = releases.filter(|(index, _)| images & (1 << index) != 0);
    let lines = asked.map(|(_, release)| format!("{} leaked", release.measurement.image_sha384));
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn verbs(setup: &Setup, state: &State) -> Verbs {
    Verbs {
        abort: token(state.asked.abort),
        retry: token(state.asked.retry),
        revoke: revocation(setup, state.asked.revoke),
        unrevoke: None,
        transfer: state.asked.transfer.then(|| OTHER.to_owned()),
    }
}

fn record(setup: &Setup, state: &State) -> rollover::PersistedState {
    let record = &state.record;
    let release = |index: u8| setup.releases[usize::from(index)].clone();
    let revoked = |index: &usize| record.revoked & (1 << index) != 0;
    rollover::PersistedState {
        current: record.current.map(release),
        rollover: record.rollover.as_ref().map(|found| rollover::Rollover {
            from: found.from.map(release),
            to: target(&release(found.to), found.mismeasured),
            found: kept(setup, found.found, state.asked.corrected),
            phase: match found.admitted {
                _ if found.retires => Phase::Retiring { since: setup.now },
                None => Phase::Admitting,
                Some(age) => Phase::Admitted { at: setup.ago(age) },
            },
            progressed_at: setup.ago(found.progressed),
        }),
        rollovers: u64::from(record.rollovers),
        commitment: record.committed.then(|| COMMITMENT.to_owned()),
        attested: record.attested.then(|| "a release".to_owned()),
        failure: record.failure.map(|index| Failure {
            revision: release(index).revision,
            why: "it failed".to_owned(),
        }),
        revoked: (0..RELEASES)
            .filter(revoked)
            .map(|index| setup.releases[index].measurement.image_sha384)
            .collect(),
        written: written(setup, record, state.asked.corrected),
        ended_at: record.ended.map(|age| setup.ago(age)),
        handled: Verbs {
            abort: token(record.abort),
            retry: token(record.retry),
            revoke: revocation(setup, record.revoke),
            unrevoke: None,
            transfer: record.transfer.then(|| OTHER.to_owned()),
        },
    }
}

/// The target as status has it.
fn target(release: &rollover::Release, mismeasured: bool) -> rollover::Release {
    let mut target = release.clone();
    if mismeasured {
        target.measurement.image_sha384 = Pcr::from_bytes([0xfa; 48]);
    }
    target
}

/// What was written last to each key, by ARN.
fn written(setup: &Setup, record: &state::Record, corrected: bool) -> BTreeMap<String, Written> {
    let known = (0..setup.size.keys).filter_map(|key| {
        let (images, times) = record.written[key]?;
        let written = Written {
            content: images
                .map_or_else(String::new, |images| setup.content(key, images).to_owned()),
            put_right: vec![setup.now; usize::from(times)],
        };
        Some((setup.arn(key, corrected), written))
    });
    known.collect()
}

/// What was found on these keys, by ARN.
fn kept(setup: &Setup, keys: u8, corrected: bool) -> BTreeMap<String, Measurement> {
    let found = (0..setup.size.keys).filter(|index| keys & (1 << index) != 0);
    let known = found.map(|index| {
        (
            setup.arn(index, corrected),
            measurement(setup.size, RELEASES),
        )
    });
    known.collect()
}

/// What the holder of each observed key is asked for, as status shows it once the keys are read.
pub fn asked_of_holders(setup: &Setup, state: &State) -> [Option<Images>; KEYS] {
    if state.asked.observed == 0 {
        return [None; KEYS];
    }
    let keys = state.keys;
    let read = State {
        seen: Some(Seen {
            age: 0,
            keys,
            corrected: state.asked.corrected,
        }),
        ..state.clone()
    };
    let world = of(setup, &read);
    let set = AdmittedSet::recorded(&world, &world.record);
    std::array::from_fn(|index| {
        let share = world
            .spec
            .shares
            .get(index)
            .filter(|share| !share.managed)?;
        let policy = setup.policy_of(index, keys[index].stored, keys[index].fenced);
        let wanted = set.for_key(share, policy);
        let bits = wanted
            .iter()
            .map(|measurement| 1 << setup.index_of(measurement));
        Some(bits.fold(0, |all, bit: Images| all | bit))
    })
}

/// The keys as the operator knows them.
pub fn readings(setup: &Setup, seen: Option<&Seen>) -> Readings {
    let Some(seen) = seen else {
        return Readings::new();
    };
    let read = (0..setup.size.keys).map(|index| {
        let facts = known(setup, index, seen);
        (setup.arn(index, seen.corrected), Reading::Facts(facts))
    });
    read.collect()
}

/// Few readings differ, and each is large: they are built once.
fn known(setup: &Setup, index: usize, seen: &Seen) -> Arc<KeyFacts> {
    let id = (index, seen.keys[index], seen.age);
    let mut readings = setup.readings.borrow_mut();
    let known = readings.entry(id);
    known
        .or_insert_with(|| Arc::new(facts(setup, index, seen)))
        .clone()
}

fn facts(setup: &Setup, index: usize, seen: &Seen) -> KeyFacts {
    let key = seen.keys[index];
    let mut tags = BTreeMap::new();
    let owner = match key.owner {
        Owned::Nobody => None,
        Owned::Ours => Some(("uid/ns/signer", "ns-uid")),
        Owned::Theirs => Some(("other/ns/signer", "uid")),
    };
    if let Some((owner, namespace_uid)) = owner {
        tags.insert(tags::OWNER.to_owned(), owner.to_owned());
        tags.insert(tags::NAMESPACE_UID.to_owned(), namespace_uid.to_owned());
    }
    if key.healing {
        tags.insert(tags::HEALED_AT.to_owned(), setup.ago(seen.age).to_string());
    }
    if key.committed {
        tags.insert(tags::COMMITMENT.to_owned(), COMMITMENT.to_owned());
    }
    if let Some((number, retires)) = key.progress {
        let text = tags::progress_text((u64::from(number), retires));
        tags.insert(tags::ROLLOVER.to_owned(), text);
    }
    if let Some(release) = key.retired_for {
        let id = tags::retired_for(&setup.releases[usize::from(release)].measurement);
        tags.insert(tags::RETIRED_FOR.to_owned(), id);
    }
    let revoked = (0..RELEASES).filter(|release| key.revoked & (1 << release) != 0);
    let prefixes: Vec<_> = revoked
        .map(|release| tags::prefix(&setup.releases[release].measurement.image_sha384))
        .collect();
    if !prefixes.is_empty() {
        tags.extend(tags::revoked_pages(&prefixes));
    }
    KeyFacts {
        read_at: setup.ago(seen.age),
        state: if key.disabled {
            KeyState::Other("Disabled".to_owned())
        } else {
            KeyState::Enabled
        },
        policy: Ok(setup.policy_of(index, key.stored, key.fenced).clone()),
        tags,
        described: None,
    }
}

fn sets(setup: &Setup, state: &State) -> Vec<rollover::Set> {
    let pairs = setup.releases.iter().zip(&state.sets);
    pairs
        .filter_map(|(release, set)| {
            let set = set.as_ref()?;
            let chambers = set.pods.iter().enumerate();
            Some(rollover::Set {
                name: format!("signer-{}", release.revision),
                version: "seen".to_owned(),
                fenced: state.fenced,
                release: release.clone(),
                replicas: u32::from(set.replicas),
                chambers: chambers
                    .map(|(index, pod)| chamber(setup, release, index, *pod))
                    .collect(),
            })
        })
        .collect()
}

fn chamber(setup: &Setup, release: &Release, index: usize, pod: state::Pod) -> Chamber {
    Chamber {
        name: format!("{}-{index}", release.revision),
        revision: release.revision.clone(),
        measurement_id: release.measurement.id(),
        unsealed_since: pod.unsealed.map(|age| setup.ago(age)),
        started_at: Some(setup.ago(pod.unsealed.unwrap_or(0))),
        gone_by: pod.leaving.map(|age| setup.ago(age)),
        // Long ago: how long a release has its chambers without progress is in the record alone.
        scheduled_at: pod.placed.then(|| setup.ago(state::AGE)),
        says: None,
        failing: (!pod.placed).then(|| Failing::Unschedulable("no node has room".to_owned())),
        node: None,
    }
}

fn blobs(setup: &Setup, state: &State) -> BTreeMap<String, Blob> {
    let stored = setup
        .releases
        .iter()
        .enumerate()
        .filter(|(index, _)| state.blobs & (1 << index) != 0);
    stored
        .map(|(index, release)| {
            let alien = state.alien & (1 << index) != 0;
            let commitment = if alien { ALIEN } else { COMMITMENT }.to_owned();
            (release.measurement.id(), Blob::Sound { commitment })
        })
        .collect()
}

/// What Prometheus answers.
pub fn metrics(setup: &Setup, state: &State, world: &World) -> Metrics {
    let sampled_at = match state.prometheus {
        Prometheus::Fresh => setup.now,
        Prometheus::Stale => setup.ago(60),
        Prometheus::Absent => {
            return Metrics::Known {
                window: setup.spec.soak_time,
                pods: BTreeMap::new(),
            };
        }
        Prometheus::Down => return Metrics::Unavailable("it is down".to_owned()),
    };
    let pods = world.chambers().map(|chamber| {
        let unsealed = chamber.unsealed_since.is_some();
        let metrics = PodMetrics {
            unsealed: Some(f64::from(u8::from(unsealed))),
            sampled_at: Some(sampled_at),
            unsealed_before: Some(sampled_at),
            rejected: Some(0.0),
            opened: opened(world, sampled_at),
        };
        (chamber.name.clone(), metrics)
    });
    Metrics::Known {
        window: setup.spec.soak_time,
        pods: pods.collect(),
    }
}

/// Every share, as a chamber that is well opens it.
pub fn opened(world: &World, at: Timestamp) -> BTreeMap<String, Timestamp> {
    let shares = world.spec.shares.iter();
    shares.map(|share| (share.arn.clone(), at)).collect()
}

/// What the chambers of a release attest.
pub fn attestations(setup: &Setup, state: &State, world: &World, revision: &str) -> Attestations {
    let chambers = world.set(revision).into_iter();
    let chambers = chambers.flat_map(|set| set.chambers.iter().enumerate());
    let answers = chambers.map(|(index, chamber)| {
        let answer = match state.answers {
            Answers::OneSilent if index == 0 => Attestation::Silent("no answer".to_owned()),
            Answers::OneLies if index == 0 => Attestation::Refused("another image".to_owned()),
            _ => attested(setup, world),
        };
        (chamber.name.clone(), answer)
    });
    Attestations::Asked {
        at: setup.now,
        chambers: answers.collect(),
    }
}

fn attested(setup: &Setup, world: &World) -> Attestation {
    let shares = world.spec.shares.iter();
    let opened: BTreeSet<_> = shares.map(|share| share.arn.clone()).collect();
    Attestation::Attested {
        at: setup.now,
        opened,
        manifest: None,
    }
}

/// What the disruption budget allows.
pub fn budget(setup: &Setup, state: &State) -> u32 {
    let wanted = state.asked.replicas;
    let floor = wanted.saturating_sub(setup.size.max_unavailable);
    let spare = state.unsealed().saturating_sub(usize::from(floor));
    u32::try_from(spare).unwrap_or(u32::MAX)
}
