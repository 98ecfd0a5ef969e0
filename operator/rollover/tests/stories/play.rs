//! A world in miniature that does what the planner orders, and tells the story.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};
use rollover::{
    Action, AdmittedSet, Attestation, Attestations, Blob, Chamber, Change, DriftPolicy, Failing,
    Gate, KeyFacts, KeyState, Look, Metrics, OnFailure, Owner, PersistedState, Plan, PodMetrics,
    Reading, Readings, Reason, Refusal, Release, SealPod, Set, Share, Spec, Transition, Verbs,
    World, blob_id, laws, plan, tags,
};

/// Of the master key that the seal pod makes.
pub const COMMITMENT: &str = "c0ffee";
/// Whose the keys are.
pub fn owner() -> Owner {
    Owner {
        cluster_uid: "uid".into(),
        namespace: "ns".into(),
        namespace_uid: "ns-uid".into(),
        name: "signer".into(),
    }
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the stage"
)]
pub struct Play {
    pub world: World,
    /// The policies that Decrypt enforces; they follow what is stored unless `held`.
    pub enforced: Vec<Policy>,
    pub held: bool,
    pub scraped: bool,
    /// Prometheus only has samples from before the chambers' start.
    pub stale: bool,
    pub rejected: Option<f64>,
    /// Pods of these revisions do not know how to attest.
    pub silent: Vec<&'static str>,
    /// Pods of these revisions attest something else than their release.
    pub lying: Vec<&'static str>,
    /// How often chambers were asked to attest.
    pub asked: u32,
    /// Shares that no chamber opens.
    pub unopened: Vec<&'static str>,
    /// What a disruption budget of somebody else allows.
    pub budget: u32,
    /// Pods of these revisions never unseal.
    pub broken: Vec<&'static str>,
    /// Terminating pods stay: their node is lost.
    pub node_lost: bool,
    /// The seal pod does not start: what Kubernetes says.
    pub seal_stuck: Option<String>,
    /// No node has room for a new chamber.
    pub full: bool,
    /// What the seal pod was made for.
    sealing: Option<Release>,
    pub story: String,
    created: u32,
    turns: u32,
}

/// Compares a story with its golden file; `BLESS=1` writes it anew.
pub fn compare(name: &str, play: &Play) {
    let file = format!(
        "{}/tests/stories/golden/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &play.story).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden.lines().count() <= 40,
        "{name} is too long to be read"
    );
    assert!(
        play.story == golden,
        "{name}: run with BLESS=1 and read the difference\n{}",
        play.story
    );
}

/// Why the planner stops.
pub fn blocked(play: &Play) -> (Reason, String) {
    match plan(&play.world) {
        Plan::Block { obstacle, .. } => (obstacle.reason(), obstacle.to_string()),
        other => panic!("{other:?}\n{}", play.story),
    }
}

/// More turns than any story takes: a planner that runs in circles fails instead of hanging.
const TURNS: u32 = 5000;

pub fn release(byte: u8) -> Release {
    Release {
        image: format!("chamber:v{byte}"),
        measurement: Measurement::image(Pcr::from_bytes([byte; 48])),
        revision: format!("v{byte}"),
        generation: 1,
    }
}

pub fn share(name: &str, managed: bool) -> Share {
    Share {
        name: name.into(),
        arn: format!("arn:aws:kms:us-east-1:111122223333:key/{name}"),
        managed,
        accepted_at_risk: false,
        adopt: false,
        template: Template::in_account("aws", "111122223333", "test-local-signer"),
    }
}

impl Play {
    /// An empty namespace, and keys that carry the five statements and admit nobody.
    pub fn new(shares: Vec<Share>) -> Self {
        let now: Timestamp = "2026-11-01T10:00:00Z".parse().unwrap();
        let policies: Vec<_> = shares
            .iter()
            .map(|share| share.template.render(&[]))
            .collect();
        let spec = Spec {
            owner: owner(),
            cluster_id: "test-local-signer".into(),
            release: release(1),
            manifest: None,
            authorities: Vec::new(),
            threshold: 2,
            shares,
            replicas: 3,
            managed_sealing: true,
            max_unavailable: 1,
            max_surge: 0,
            settle_time: SignedDuration::from_secs(30),
            gate: Gate::Preferred,
            soak_time: SignedDuration::from_secs(60),
            progress_deadline: SignedDuration::from_mins(10),
            on_failure: OnFailure::Rollback,
            drift_interval: SignedDuration::from_mins(10),
            drift_policy: DriftPolicy::Repair,
            dry_run: false,
            paused: false,
            verbs: Verbs::default(),
            deletion: None,
        };
        let mut play = Self {
            world: World::of_keys(now, spec, PersistedState::default(), Readings::new()),
            enforced: policies.clone(),
            held: false,
            scraped: true,
            stale: false,
            rejected: Some(0.0),
            silent: vec![],
            lying: vec![],
            asked: 0,
            unopened: vec![],
            budget: u32::MAX,
            broken: vec![],
            node_lost: false,
            seal_stuck: None,
            full: false,
            sealing: None,
            story: String::new(),
            created: 0,
            turns: 0,
        };
        for (index, policy) in policies.into_iter().enumerate() {
            play.set_facts(index, |facts| facts.policy = Ok(policy));
        }
        play
    }

    /// A cluster that has settled on v1; the story begins afterwards.
    pub fn settled() -> Self {
        let mut play = Self::new(vec![share("a", true), share("b", true), share("c", true)]);
        play.run(200);
        assert!(
            matches!(plan(&play.world), Plan::Settled { .. }),
            "{}",
            play.story
        );
        play.story.clear();
        play
    }

    /// The same on its way from v1 to v2, told up to a line.
    pub fn rolling(line: &str) -> Self {
        let mut play = Self::settled();
        play.world.spec.release = release(2);
        play.until(line);
        play
    }

    pub fn set_facts(&mut self, index: usize, change: impl FnOnce(&mut KeyFacts)) {
        let read_at = self.world.now;
        let never_set = || {
            Reading::Facts(std::sync::Arc::new(KeyFacts {
                read_at,
                state: KeyState::Enabled,
                policy: Err("never set".into()),
                tags: BTreeMap::new(),
                described: None,
            }))
        };
        let arn = self.world.spec.shares[index].arn.clone();
        let reading = self.world.readings.entry(arn).or_insert(Reading::Unread);
        if !matches!(reading, Reading::Facts(_)) {
            *reading = never_set();
        }
        if let Reading::Facts(facts) = reading {
            change(std::sync::Arc::make_mut(facts));
        }
    }

    /// A key carries a tag.
    pub fn set_tag(&mut self, key: usize, name: &str, value: &str) {
        self.set_facts(key, |facts| {
            facts.tags.insert(name.to_owned(), value.to_owned());
        });
    }

    /// A key refused to be written, and is not asked again for so long.
    pub fn refuse(&mut self, key: usize, wait: SignedDuration) {
        self.refuse_change(key, wait, Change::Policy);
    }

    /// The same of its tags or its policy.
    pub fn refuse_change(&mut self, key: usize, wait: SignedDuration, change: Change) {
        let Share { name, arn, .. } = &self.world.spec.shares[key];
        let refusal = Refusal {
            since: self.world.now,
            until: self.world.now + wait,
            change,
            message: format!("key {name}: kms:PutKeyPolicy gives AccessDeniedException"),
        };
        self.world.refusals.insert(arn.clone(), refusal);
    }

    /// A key cannot be read any more.
    pub fn unreadable(&mut self, index: usize, reason: Reason, message: &str) {
        let failed = Reading::Failed {
            read_at: self.world.now,
            reason,
            message: message.into(),
        };
        let arn = self.world.spec.shares[index].arn.clone();
        self.world.readings.insert(arn, failed);
    }

    fn facts(&self, index: usize) -> Option<&KeyFacts> {
        match self
            .world
            .readings
            .get(&self.world.spec.shares[index].arn)?
        {
            Reading::Facts(facts) => Some(facts),
            Reading::Unread | Reading::Failed { .. } => None,
        }
    }

    /// The policy of a key, as it was read last.
    pub fn policy(&self, key: usize) -> &Policy {
        self.facts(key).unwrap().policy.as_ref().unwrap()
    }

    /// The policy of a key becomes the template's for these releases, whoever wrote it.
    pub fn admits(&mut self, key: usize, numbers: &[u8]) {
        let live = numbers.iter().map(|number| release(*number).measurement);
        let live: Vec<_> = live.collect();
        let policy = self.world.spec.shares[key].template.render(&live);
        self.set_facts(key, |facts| facts.policy = Ok(policy));
    }

    /// A key is disabled, and the spec accepts that.
    pub fn disable_at_risk(&mut self, key: usize) {
        self.world.spec.shares[key].accepted_at_risk = true;
        self.set_facts(key, |facts| {
            facts.state = KeyState::Other("Disabled".into());
        });
    }

    /// The releases whose images a key's policy admits, by their number.
    pub fn admitted(&self, key: usize) -> Vec<u8> {
        let template = &self.world.spec.shares[key].template;
        let found = key_policy::found(self.policy(key), template).unwrap();
        let images = found.image_sha384.iter();
        let numbers = images.map(|image| u8::from_str_radix(&image[..2], 16).unwrap());
        numbers.collect()
    }

    /// What is planned once all that is asked for was looked at.
    pub fn looked(&mut self) -> Plan {
        while let Plan::Look(_) = plan(&self.world) {
            assert!(self.turn(), "{}", self.story);
        }
        plan(&self.world)
    }

    /// A foreign hand changes the text of a key's policy.
    pub fn rewrite(&mut self, key: usize, from: &str, to: &str) {
        let text = self.policy(key).to_json();
        assert!(text.contains(from), "{from} is not in {text}");
        let policy = Policy::parse(&text.replacen(from, to, 1)).unwrap();
        self.set_facts(key, |facts| facts.policy = Ok(policy));
    }

    /// A foreign hand adds a statement to a key's policy.
    pub fn with_statement(&mut self, key: usize, statement: &str) {
        let list = "\"Statement\": [";
        self.rewrite(key, list, &format!("{list}{statement},"));
    }

    pub fn tell(&mut self, line: &str) {
        // What is said twice in a row is told once.
        if self.story.lines().last() != Some(line) {
            writeln!(self.story, "{line}").unwrap();
        }
    }

    /// Plans and acts until settled, blocked, or so many turns have gone.
    pub fn run(&mut self, turns: usize) {
        for _ in 0..turns {
            if !self.turn() {
                return;
            }
        }
    }

    /// Plans and acts until the last line of the story ends so.
    pub fn until(&mut self, line: &str) {
        loop {
            let goes_on = self.turn();
            if self.story.trim_end().ends_with(line) {
                return;
            }
            assert!(goes_on, "ends before {line:?}:\n{}", self.story);
        }
    }

    /// Sets a scene, and tells it.
    pub fn scene(&mut self, line: &str, change: impl FnOnce(&mut Self)) {
        self.tell(&format!("-- {line}"));
        change(self);
    }

    /// One turn; false when nothing will change any more.
    pub fn turn(&mut self) -> bool {
        self.turns += 1;
        assert!(self.turns < TURNS, "no end:\n{}", self.story);
        self.judge_seal_pod();
        let next = plan(&self.world);
        assert_eq!(
            next,
            plan(&self.world),
            "the same world gives the same plan"
        );
        match next {
            Plan::Look(look) => self.look(&look),
            Plan::Act { step, action } => {
                if let Err(breach) = laws::check(&self.world, &action) {
                    panic!("law {}: {}\n{}", breach.law, breach.message, self.story);
                }
                self.tell(&format!("{step}: {}", sentence(&action)));
                self.act(action);
                self.forget_looks();
            }
            Plan::Wait {
                step,
                obstacle,
                until,
            } => {
                let reason = obstacle.reason();
                self.tell(&format!("{step}: waits, {reason}"));
                let before = format!("{:?}{:?}", self.world.sets, self.world.seal_pod);
                self.tick(until);
                let same = before == format!("{:?}{:?}", self.world.sets, self.world.seal_pod);
                return until.is_some()
                    && reason != Reason::MetricsInconclusive
                    && reason != Reason::ShareUnopened
                    && reason != Reason::AttestationRejected
                    && reason != Reason::AttestationRefused
                    && reason != Reason::AttestationMissing
                    || !same;
            }
            Plan::Block { step, obstacle } => {
                let reason = obstacle.reason();
                self.tell(&format!("{step}: blocked, {reason}"));
                return false;
            }
            Plan::Settled { .. } => {
                self.tell("Settled");
                return false;
            }
        }
        true
    }

    /// A seal pod of another release than the target is none for it.
    fn judge_seal_pod(&mut self) {
        let target = self.world.record.rollover.as_ref().map(|r| &r.to);
        let ours = !matches!(self.world.seal_pod, SealPod::Absent | SealPod::Foreign(_));
        if ours && target.is_some_and(|to| self.sealing.as_ref() != Some(to)) {
            self.world.seal_pod = SealPod::Outdated;
        }
    }

    fn look(&mut self, look: &Look) {
        match look {
            Look::Keys => {
                let now = self.world.now;
                for reading in self.world.readings.values_mut() {
                    if let Reading::Facts(facts) = reading {
                        std::sync::Arc::make_mut(facts).read_at = now;
                    }
                }
            }
            Look::Budget => {
                let spec = &self.world.spec;
                let floor = spec.replicas.saturating_sub(spec.max_unavailable);
                let spare = self.world.unsealed().saturating_sub(floor);
                self.world.budget = Some(spare.min(self.budget));
            }
            Look::Attestation { revision } => self.attest(revision),
            Look::Metrics { window } => {
                let pods = self
                    .world
                    .chambers()
                    .filter(|_| self.scraped)
                    .map(|chamber| {
                        let sampled_at = if self.stale {
                            Timestamp::UNIX_EPOCH
                        } else {
                            self.world.now
                        };
                        let opened = self.opened(&chamber.revision);
                        let metrics = PodMetrics {
                            unsealed: Some(f64::from(u8::from(chamber.serves()))),
                            sampled_at: Some(sampled_at),
                            unsealed_before: Some(sampled_at),
                            rejected: self.rejected,
                            opened: opened.map(|arn| (arn, sampled_at)).collect(),
                        };
                        (chamber.name.clone(), metrics)
                    });
                self.world.metrics = Some(Metrics::Known {
                    window: *window,
                    pods: pods.collect(),
                });
            }
        }
    }

    /// The keys whose share the chambers of a release have opened: those that do not admit it open nothing.
    fn opened(&self, revision: &str) -> impl Iterator<Item = String> {
        let set = self.world.set(revision);
        let measurement = set.map(|set| set.release.measurement.clone());
        let shares = self.world.spec.shares.iter().enumerate();
        shares.filter_map(move |(index, share)| {
            let facts = self.facts(index);
            let policy = facts.and_then(|facts| facts.policy.as_ref().ok());
            let admits = policy
                .zip(measurement.as_ref())
                .is_none_or(|(policy, one)| {
                    key_policy::admits(policy, &share.template, one).unwrap_or(true)
                });
            let opens = admits && !self.unopened.contains(&&*share.name);
            opens.then(|| share.arn.clone())
        })
    }

    /// What was looked at stands for one turn.
    pub fn forget_looks(&mut self) {
        (self.world.metrics, self.world.budget) = (None, None);
        self.world.attestations = None;
    }

    /// What the chambers of a release answer when they are asked to attest.
    fn attest(&mut self, revision: &str) {
        self.asked += 1;
        let at = self.world.now;
        let opened = self.opened(revision).collect();
        let answer = if self.lying.contains(&revision) {
            Attestation::Refused("it runs another image".into())
        } else if self.silent.contains(&revision) {
            Attestation::Silent("HTTP 404 at /attestation".into())
        } else {
            let manifest = None;
            Attestation::Attested {
                at,
                opened,
                manifest,
            }
        };
        let chambers = self.world.set(revision).unwrap().chambers.iter();
        let chambers = chambers.map(|chamber| (chamber.name.clone(), answer.clone()));
        self.world.attestations = Some(Attestations::Asked {
            at,
            chambers: chambers.collect(),
        });
    }

    /// Time passes: pods come and go, the seal pod works.
    pub fn tick(&mut self, until: Option<Timestamp>) {
        self.forget_looks();
        let next = self.world.now + SignedDuration::from_secs(1);
        self.world.now = until.map_or(next, |until| until.max(next));
        if !self.held {
            self.enforced = (0..self.world.spec.shares.len())
                .filter_map(|index| self.facts(index)?.policy.clone().ok())
                .collect();
        }
        if matches!(self.world.seal_pod, SealPod::Running { .. }) {
            self.world.seal_pod = match &self.seal_stuck {
                Some(why) => SealPod::Stuck(why.clone()),
                None => SealPod::Offers {
                    commitment: COMMITMENT.into(),
                },
            };
        }
        let now = self.world.now;
        for index in 0..self.world.sets.len() {
            let release = self.world.sets[index].release.clone();
            let open = self.opens(&release.measurement)
                && !self.broken.contains(&release.revision.as_str());
            let lost = self.node_lost;
            let set = &mut self.world.sets[index];
            set.chambers
                .retain(|chamber| lost || chamber.gone_by.is_none());
            for chamber in &mut set.chambers {
                if !self.full && chamber.scheduled_at.is_none() {
                    (chamber.scheduled_at, chamber.failing) = (Some(now), None);
                }
                if chamber.unsealed_since.is_none() && open && chamber.failing.is_none() {
                    chamber.unsealed_since = Some(now);
                }
            }
        }
        self.replicate();
    }

    /// How many keys let this measurement decrypt, by what Decrypt enforces: enough?
    fn opens(&self, measurement: &Measurement) -> bool {
        let template = &self.world.spec.shares[0].template;
        let admits =
            |policy: &&Policy| key_policy::admits(policy, template, measurement).unwrap_or(false);
        self.enforced.iter().filter(admits).count() >= self.world.spec.threshold
    }

    /// What the ReplicaSet controller does.
    fn replicate(&mut self) {
        let now = self.world.now;
        for set in &mut self.world.sets {
            // Counted by the fact itself: a wrong answer of the planner's must not keep pods coming for ever.
            let running = |set: &Set| {
                let staying = set.chambers.iter().filter(|c| c.gone_by.is_none());
                staying.count()
            };
            while running(set) < set.replicas as usize {
                self.created += 1;
                set.chambers.push(Chamber {
                    name: format!("signer-{}-{}", set.release.revision, self.created),
                    revision: set.release.revision.clone(),
                    measurement_id: set.release.measurement.id(),
                    unsealed_since: None,
                    started_at: Some(now),
                    gone_by: None,
                    scheduled_at: (!self.full).then_some(now),
                    says: None,
                    failing: self
                        .full
                        .then(|| Failing::Unschedulable("0/3 nodes are available".into())),
                    node: Some("node-1".into()),
                });
            }
            while running(set) > set.replicas as usize {
                let sealed = set
                    .chambers
                    .iter()
                    .position(|c| c.gone_by.is_none() && c.unsealed_since.is_none());
                let any = set.chambers.iter().position(|c| c.gone_by.is_none());
                set.chambers[sealed.or(any).unwrap()].gone_by = Some(now);
            }
        }
    }

    /// What a step writes is what status says of the key, and what its holder would be asked for. A revocation takes its
    /// image out first, and leaves what else is there for the step that follows.
    fn says_the_same(&self, action: &Action) {
        let Action::WritePolicies(writes) = action else {
            return;
        };
        let set = AdmittedSet::recorded(&self.world, &self.world.record);
        for write in writes {
            let share = self.world.share(&write.arn).unwrap();
            let revoked =
                |image: &String| Pcr::parse(image).is_ok_and(|pcr| self.world.revoked(&pcr));
            if key_policy::images(&write.expected).iter().any(revoked) {
                continue;
            }
            let told = rollover::desired_policy(&set, share, Some(&write.expected)).unwrap();
            // An error that others left in our statements stays where `adopt` does not mend it, and status asks for its end.
            let errs = |one: &key_policy::Finding| one.severity == key_policy::Severity::Error;
            let mends = key_policy::lint(&write.expected, &share.template)
                .iter()
                .any(errs);
            let admits = |policy| key_policy::found(policy, &share.template).unwrap();
            let equal = if mends {
                admits(&told) == admits(&write.policy)
            } else {
                told.equivalent(&write.policy)
            };
            assert!(
                equal,
                "key {}: told {told:?}, written {:?}",
                write.name, write.policy
            );
        }
    }

    pub fn act(&mut self, action: Action) {
        self.says_the_same(&action);
        self.world.record.acted(&action, self.world.now);
        if let Action::Transition(Transition::RetireBegun) = action {
            let record = &self.world.record;
            let target = tags::retired_for(&record.rollover.as_ref().unwrap().to.measurement);
            self.world.retire_witnessed = Some((record.rollovers, target));
        }
        match action {
            Action::Transition(_) => {}
            Action::AddFinalizer => self.world.finalizer = true,
            Action::RemoveFinalizer(_) => self.world.finalizer = false,
            Action::ClaimKeys {
                arns,
                progress,
                retired_for,
                healed_at,
            } => {
                if let Some(id) = retired_for {
                    self.tag(&arns, tags::RETIRED_FOR, &id);
                }
                if let Some(at) = healed_at {
                    self.tag(&arns, tags::HEALED_AT, &at.to_string());
                }
                self.tag_owner(&arns);
                self.tag(&arns, tags::ROLLOVER, &tags::progress_text(progress));
            }
            Action::TransferKeys { arns, .. } => self.tag_owner(&arns),
            Action::TagRevoked { arns, images } => {
                for (name, value) in tags::revoked_pages(&images) {
                    self.tag(&arns, &name, &value);
                }
            }
            Action::TagCommitment { arns, commitment } => {
                self.tag(&arns, tags::COMMITMENT, &commitment);
            }
            Action::WritePolicies(writes) => {
                for write in writes {
                    let index = self.index(&write.arn);
                    self.set_facts(index, |facts| facts.policy = Ok(write.policy));
                }
            }
            Action::BindBlob { to, generation, .. } => self.store(&to, generation),
            Action::StoreBlob(to) => self.store(&to, 1),
            Action::StartSeal(release) => {
                self.sealing = Some(release);
                let since = self.world.now;
                self.world.seal_pod = SealPod::Running {
                    since,
                    unanswered: None,
                };
            }
            Action::RemoveSealPod => self.world.seal_pod = SealPod::Absent,
            Action::Resize(resizes) => {
                for resize in resizes {
                    let set = self.world.sets.iter_mut();
                    let mut found = set.filter(|set| set.release == resize.release);
                    found.next().unwrap().replicas = resize.to;
                }
                self.replicate();
            }
            Action::MakeSet(release) => {
                self.world.templates.insert(release.revision.clone());
                self.world.sets.push(Set {
                    version: "1".into(),
                    fenced: true,
                    name: format!("signer-{}", release.revision),
                    release,
                    replicas: 0,
                    chambers: vec![],
                });
            }
            Action::Fence(_) => self.world.sets.iter_mut().for_each(|set| set.fenced = true),
            Action::RemoveSets(names) => {
                let removed = |revision: &str| names.contains(&format!("signer-{revision}"));
                self.world.templates.retain(|revision| !removed(revision));
                self.world.sets.retain(|set| !names.contains(&set.name));
            }
        }
    }

    fn index(&self, arn: &str) -> usize {
        self.world
            .spec
            .shares
            .iter()
            .position(|share| share.arn == arn)
            .unwrap()
    }

    fn tag_owner(&mut self, arns: &[String]) {
        self.tag(arns, tags::OWNER, &owner().tag());
        self.tag(arns, tags::NAMESPACE_UID, &owner().namespace_uid);
    }

    pub fn store(&mut self, to: &Measurement, generation: u32) {
        let sound = Blob::Sound {
            commitment: COMMITMENT.into(),
        };
        self.world.blobs.insert(blob_id(to, generation), sound);
    }

    fn tag(&mut self, arns: &[String], name: &str, value: &str) {
        for arn in arns {
            let index = self.index(arn);
            self.set_facts(index, |facts| {
                drop(facts.tags.insert(name.into(), value.into()));
            });
        }
    }
}

/// The action's own words, with `v2` for the image of release 2.
fn sentence(action: &Action) -> String {
    (1..10).fold(action.to_string(), |text, number| {
        let (byte, name) = (format!("0{number}"), format!("v{number}"));
        text.replace(&byte.repeat(48), &name)
            .replace(&byte.repeat(5), &name)
    })
}
