//! A world in miniature that does what the planner orders, and tells the story.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use key_policy::{Policy, Template};
use measurement::{Measurement, Pcr};
use rollover::*;

pub const OWNER: &str = "uid/ns/signer";

pub struct Play {
    pub world: World,
    /// The policies that Decrypt enforces; they follow what is stored unless `held`.
    pub enforced: Vec<Policy>,
    pub held: bool,
    pub scraped: bool,
    /// Prometheus only has samples from before the chambers' start.
    pub stale: bool,
    pub rejected: f64,
    pub story: String,
    created: u32,
}

pub fn release(byte: u8) -> Release {
    Release {
        image: format!("chamber:v{byte}"),
        measurement: Measurement::image(Pcr::from_bytes([byte; 48])),
        revision: format!("v{byte}"),
    }
}

pub fn share(name: &str, managed: bool) -> Share {
    Share {
        name: name.into(),
        arn: format!("arn:aws:kms:us-east-1:111122223333:key/{name}"),
        managed,
        template: Template {
            partition: "aws".into(),
            key_account: "111122223333".into(),
            role_account: "111122223333".into(),
            cluster_id: "test-local-signer".into(),
            admin_role_arn: "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin".into(),
            pins: [].into(),
        },
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
        let keys = vec![
            Key {
                reading: Reading::Unread
            };
            shares.len()
        ];
        let mut play = Self {
            world: World {
                now,
                spec: Spec {
                    owner: OWNER.into(),
                    cluster_id: "test-local-signer".into(),
                    release: release(1),
                    threshold: 2,
                    shares,
                    replicas: 3,
                    managed_sealing: true,
                    max_unavailable: 1,
                    max_surge: 0,
                    settle_time: SignedDuration::from_secs(30),
                    soak_time: SignedDuration::from_secs(60),
                    progress_deadline: SignedDuration::from_mins(10),
                    drift_interval: SignedDuration::from_mins(10),
                    paused: false,
                },
                record: Record::default(),
                keys,
                sets: vec![],
                strays: vec![],
                seal_pod: SealPod::Absent,
                blobs: BTreeMap::new(),
                metrics: None,
                rival: None,
            },
            enforced: policies.clone(),
            held: false,
            scraped: true,
            stale: false,
            rejected: 0.0,
            story: String::new(),
            created: 0,
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

    pub fn set_facts(&mut self, index: usize, change: impl FnOnce(&mut KeyFacts)) {
        let key = &mut self.world.keys[index];
        if !matches!(key.reading, Reading::Facts(_)) {
            key.reading = Reading::Facts(Box::new(KeyFacts {
                read_at: self.world.now,
                state: KeyState::Enabled,
                policy: Err("never set".into()),
                tags: BTreeMap::new(),
            }));
        }
        if let Reading::Facts(facts) = &mut key.reading {
            change(facts);
        }
    }

    pub fn facts(&self, index: usize) -> &KeyFacts {
        match &self.world.keys[index].reading {
            Reading::Facts(facts) => facts,
            other => panic!("{other:?}"),
        }
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

    /// One turn; false when nothing will change any more.
    pub fn turn(&mut self) -> bool {
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
                self.world.metrics = None;
            }
            Plan::Wait {
                step,
                reason,
                until,
                ..
            } => {
                self.tell(&format!("{step}: waits, {reason}"));
                let before = format!("{:?}{:?}", self.world.sets, self.world.seal_pod);
                self.tick(until);
                let same = before == format!("{:?}{:?}", self.world.sets, self.world.seal_pod);
                return until.is_some()
                    && reason != Reason::MetricsInconclusive
                    && reason != Reason::AttestationRejected
                    || !same;
            }
            Plan::Block { step, reason, .. } => {
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

    fn look(&mut self, look: &Look) {
        match look {
            Look::Keys => {
                let now = self.world.now;
                for key in &mut self.world.keys {
                    if let Reading::Facts(facts) = &mut key.reading {
                        facts.read_at = now;
                    }
                }
            }
            Look::Metrics { window } => {
                let pods = self
                    .world
                    .chambers()
                    .filter(|_| self.scraped)
                    .map(|chamber| {
                        let metrics = PodMetrics {
                            unsealed: Some(f64::from(u8::from(chamber.serves()))),
                            sampled_at: Some(if self.stale {
                                Timestamp::UNIX_EPOCH
                            } else {
                                self.world.now
                            }),
                            rejected: Some(self.rejected),
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

    /// Time passes: pods come and go, the seal pod works.
    pub fn tick(&mut self, until: Option<Timestamp>) {
        self.world.metrics = None;
        let next = self.world.now + SignedDuration::from_secs(1);
        self.world.now = until.map_or(next, |until| until.max(next));
        if !self.held {
            self.enforced = (0..self.world.keys.len())
                .filter_map(|index| self.facts(index).policy.clone().ok())
                .collect();
        }
        if self.world.seal_pod == SealPod::Running {
            self.world.seal_pod = SealPod::Offers;
        }
        let now = self.world.now;
        for index in 0..self.world.sets.len() {
            let open = self.opens(&self.world.sets[index].release.measurement.clone());
            let set = &mut self.world.sets[index];
            set.chambers.retain(|chamber| !chamber.terminating);
            for chamber in &mut set.chambers {
                if chamber.unsealed_since.is_none() && open {
                    chamber.unsealed_since = Some(now);
                }
            }
        }
        self.replicate();
    }

    /// How many keys let this measurement decrypt, by what Decrypt enforces: enough?
    fn opens(&self, measurement: &Measurement) -> bool {
        let admits = |policy: &&Policy| {
            let admitted =
                key_policy::admitted(policy, &self.world.spec.shares[0].template).unwrap();
            admitted
                .image_sha384
                .contains(&measurement.image_sha384.to_string())
        };
        self.enforced.iter().filter(admits).count() >= self.world.spec.threshold
    }

    /// What the ReplicaSet controller does.
    fn replicate(&mut self) {
        let now = self.world.now;
        for set in &mut self.world.sets {
            let running = |set: &Set| set.chambers.iter().filter(|c| !c.terminating).count();
            while running(set) < set.replicas as usize {
                self.created += 1;
                set.chambers.push(Chamber {
                    name: format!("signer-{}-{}", set.release.revision, self.created),
                    revision: set.release.revision.clone(),
                    measurement_id: set.release.measurement.id(),
                    unsealed_since: None,
                    started_at: Some(now),
                    terminating: false,
                    failing: None,
                    node: Some("node-1".into()),
                });
            }
            while running(set) > set.replicas as usize {
                let sealed = set
                    .chambers
                    .iter()
                    .position(|c| !c.terminating && c.unsealed_since.is_none());
                let any = set.chambers.iter().position(|c| !c.terminating);
                set.chambers[sealed.or(any).unwrap()].terminating = true;
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Note(note) => self.note(note),
            Action::ClaimKeys { arns } => self.tag(&arns, "chamber.dev/owner", OWNER),
            Action::TagCommitment { arns, commitment } => {
                self.tag(&arns, "chamber.dev/commitment", &commitment);
                self.world.record.commitment = Some(commitment);
            }
            Action::WritePolicies(writes) => {
                for write in writes {
                    let index = self.index(&write.arn);
                    self.set_facts(index, |facts| facts.policy = Ok(write.policy));
                }
            }
            Action::BindBlob { to, .. } | Action::StoreBlob(to) => {
                self.world.blobs.insert(
                    to.id(),
                    Blob::Sound {
                        commitment: "c0ffee".into(),
                    },
                );
            }
            Action::StartSeal(_) => self.world.seal_pod = SealPod::Running,
            Action::RemoveSealPod => self.world.seal_pod = SealPod::Absent,
            Action::Resize(resizes) => {
                for resize in resizes {
                    match self
                        .world
                        .sets
                        .iter_mut()
                        .find(|set| set.release == resize.release)
                    {
                        Some(set) => set.replicas = resize.to,
                        None => self.world.sets.push(Set {
                            name: format!("signer-{}", resize.release.revision),
                            release: resize.release,
                            replicas: resize.to,
                            chambers: vec![],
                        }),
                    }
                }
                self.replicate();
            }
            Action::RemoveSets(names) => self.world.sets.retain(|set| !names.contains(&set.name)),
        }
    }

    fn note(&mut self, note: Note) {
        let now = self.world.now;
        let record = &mut self.world.record;
        let begin = |from, to| {
            Some(Rollover {
                from,
                to,
                admitted_at: None,
                retire_begun_at: None,
            })
        };
        match note {
            Note::Begun { from, to } => record.rollover = begin(from, to),
            Note::TurnedBack { from, to } => record.rollover = begin(Some(from), to),
            Note::Admitted => record.rollover.as_mut().unwrap().admitted_at = Some(now),
            Note::AdmissionLost => record.rollover.as_mut().unwrap().admitted_at = None,
            Note::RetireBegun => record.rollover.as_mut().unwrap().retire_begun_at = Some(now),
            Note::Finished => record.current = record.rollover.take().map(|rollover| rollover.to),
            Note::Adopted(release) => record.current = Some(release),
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

    fn tag(&mut self, arns: &[String], name: &str, value: &str) {
        for arn in arns {
            let index = self.index(arn);
            self.set_facts(index, |facts| {
                drop(facts.tags.insert(name.into(), value.into()));
            });
        }
    }
}

fn sentence(action: &Action) -> String {
    match action {
        Action::Note(Note::Begun { from: None, to }) => {
            format!("begins, the first start of {}", to.revision)
        }
        Action::Note(Note::Begun {
            from: Some(from),
            to,
        }) => format!("begins, {} -> {}", from.revision, to.revision),
        Action::Note(Note::TurnedBack { from, to }) => {
            format!("turns back, {} -> {}", from.revision, to.revision)
        }
        Action::Note(Note::Adopted(release)) => format!("adopts {}", release.revision),
        Action::Note(note) => format!("notes {note:?}"),
        Action::ClaimKeys { arns } => format!("claims {} keys", arns.len()),
        Action::WritePolicies(writes) => {
            let each = writes.iter().map(|write| {
                let template = share(&write.name, true).template;
                let admitted = key_policy::admitted(&write.policy, &template).unwrap();
                let short: Vec<_> = admitted
                    .image_sha384
                    .iter()
                    .map(|image| format!("v{}", &image[1..2]))
                    .collect();
                format!("{}=[{}]", write.name, short.join(" "))
            });
            format!("writes policies {}", each.collect::<Vec<_>>().join(" "))
        }
        Action::BindBlob { .. } => "binds the blob".into(),
        Action::StartSeal(release) => format!("starts the seal pod on {}", release.revision),
        Action::StoreBlob(_) => "stores the blob".into(),
        Action::TagCommitment { arns, .. } => {
            format!("tags {} keys with the commitment", arns.len())
        }
        Action::RemoveSealPod => "removes the seal pod".into(),
        Action::Resize(resizes) => {
            let each = resizes
                .iter()
                .map(|r| format!("{} {}->{}", r.release.revision, r.from, r.to));
            format!("resizes {}", each.collect::<Vec<_>>().join(", "))
        }
        Action::RemoveSets(names) => format!("removes {}", names.join(" ")),
    }
}
