//! One state of the small world, as few bytes as possible: times are ages in minutes that stop counting where nothing asks any more.

/// Chambers at most.
pub const CHAMBERS: u8 = 3;
/// Keys at most.
pub const KEYS: usize = 3;
/// Releases: two, and a third that the user may want in the middle.
pub const RELEASES: usize = 3;
/// The bit of an image that nobody approved.
pub const FOREIGN: u8 = 1 << RELEASES;
/// Minutes; of what lies in the future, since the clock was set back, fewer than none.
pub type Age = i8;
/// Ages stop counting here: every wait of the small world is shorter.
pub const AGE: Age = 7;
/// So far the clock is set back.
const BACK: Age = 3;

/// Images as bits, release 0 first.
pub type Images = u8;

/// Everything that is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct State {
    /// What the user declares.
    pub asked: Asked,
    /// Status, as the API server stores it.
    pub record: Record,
    /// A finalizer holds the resource.
    pub finalizer: bool,
    /// The resource is gone.
    pub gone: bool,
    /// `ReplicaSets`, one a release.
    pub sets: [Option<Set>; RELEASES],
    /// Releases of which is kept what their `ReplicaSet` was made from, as bits.
    pub templates: Images,
    /// Releases whose blob is stored.
    pub blobs: Images,
    /// Of these the stored blob holds somebody else's master key.
    pub alien: Images,
    /// The one-shot pod of the first seal.
    pub seal: Seal,
    /// The release that it runs.
    pub sealer: u8,
    /// Keys carry the commitment to the master key: it is never sealed again.
    pub sealed: bool,
    /// The keys in KMS.
    pub keys: [Key; KEYS],
    /// Releases that the user ever wanted, as bits.
    pub approved: Images,
    /// The release whose chambers were proven last, whatever status says.
    pub verified: Option<u8>,
    /// A key's holder said what is not true of what was left last: whoever writes status does not help him.
    pub lied: bool,
    /// Keys that still admit what somebody else ran before they were taken over, as bits.
    pub theirs: u8,
    /// What the operator read last of each key, and how long ago; lost with its process.
    pub seen: Option<Seen>,
    /// The rollover whose Retire the operator's process itself has begun.
    pub witnessed: Option<(u8, u8)>,
    /// The operator's process has marked every `ReplicaSet` as its own.
    pub fenced: bool,
    /// Prometheus.
    pub prometheus: Prometheus,
    /// What chambers attest.
    pub answers: Answers,
    /// An order of an old leader that was not carried out yet.
    pub late: Option<Late>,
    /// Things that may still go wrong.
    pub faults: u8,
    /// Things that the user may still ask for.
    pub wishes: u8,
}

/// What the user declares and asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Asked {
    /// The release of the spec.
    pub release: u8,
    /// Chambers wanted.
    pub replicas: u8,
    /// Paused.
    pub paused: bool,
    /// How often abort was asked for.
    pub abort: u8,
    /// How often retry was asked for.
    pub retry: u8,
    /// Releases whose images are to be revoked, as bits.
    pub revoke: Images,
    /// The keys of the other cluster are to be taken over.
    pub transfer: bool,
    /// Keys whose policy their holder writes, as bits.
    pub observed: u8,
    /// The ARN of key 0 was another one at first.
    pub corrected: bool,
    /// The resource is being deleted.
    pub deleting: bool,
}

/// Status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// The current release.
    pub current: Option<u8>,
    /// The rollover in flight.
    pub rollover: Option<Rollover>,
    /// Number of the last rollover.
    pub rollovers: u8,
    /// The commitment is known.
    pub committed: bool,
    /// A release has attested.
    pub attested: bool,
    /// The release that failed.
    pub failure: Option<u8>,
    /// Revoked images.
    pub revoked: Images,
    /// What was written last to each key, and how often it was put right since.
    pub written: [Option<Written>; KEYS],
    /// Age of the end of the last rollover.
    pub ended: Option<Age>,
    /// Verbs that were answered.
    pub abort: u8,
    /// As above.
    pub retry: u8,
    /// As above.
    pub revoke: Images,
    /// As above.
    pub transfer: bool,
}

/// What was written last to a key: images, and how often the same was written again.
pub type Written = (Option<Images>, u8);

/// The rollover in flight; times are ages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rollover {
    /// The release before.
    pub from: Option<u8>,
    /// The target.
    pub to: u8,
    /// It has another image in it than the release of this name.
    pub mismeasured: bool,
    /// Keys that keep what was found there, as bits.
    pub found: u8,
    /// Age of the admission.
    pub admitted: Option<Age>,
    /// Retire has begun.
    pub retires: bool,
    /// Age of the last progress.
    pub progressed: Age,
}

/// A `ReplicaSet`: wanted chambers, and its pods in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    /// Chambers wanted.
    pub replicas: u8,
    /// Its pods, sorted.
    pub pods: Vec<Pod>,
}

/// One chamber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pod {
    /// Age of its unsealing; none while sealed.
    pub unsealed: Option<Age>,
    /// For how long it should be gone; none while it stays.
    pub leaving: Option<Age>,
    /// A node has room for it.
    pub placed: bool,
}

/// The seal pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seal {
    /// Not there.
    Absent,
    /// At work.
    Running,
    /// It offers a blob.
    Offers,
    /// Its image cannot be pulled.
    Stuck,
    /// It ended without a blob.
    Failed,
    /// Somebody else made a pod of its name.
    Foreign,
}

/// Whose tag a key carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Owned {
    /// Nobody's.
    #[default]
    Nobody,
    /// This cluster's.
    Ours,
    /// Another cluster's.
    Theirs,
}

/// A key in KMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Key {
    /// Images that its policy admits.
    pub stored: Images,
    /// Images that Decrypt admits; follows after a while.
    pub enforced: Images,
    /// It cannot be used.
    pub disabled: bool,
    /// Somebody put a Deny around it that asks for what nobody said of the chambers: it may hold.
    pub fenced: bool,
    /// It takes no tag any more: KMS allows fifty.
    pub full: bool,
    /// Whose tag it carries.
    pub owner: Owned,
    /// That tag was put back less than a minute ago.
    pub healing: bool,
    /// It carries the commitment.
    pub committed: bool,
    /// The tag with how far rollovers have come.
    pub progress: Option<(u8, bool)>,
    /// The tag with the release that the others are retired for.
    pub retired_for: Option<u8>,
    /// Tags of revoked images.
    pub revoked: Images,
}

impl Key {
    /// Whether it carries this cluster's tag.
    pub fn is_ours(&self) -> bool {
        self.owner == Owned::Ours
    }
}

/// A reading of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// How long ago.
    pub age: Age,
    /// What was found.
    pub keys: [Key; KEYS],
    /// Whether that was after the ARN of key 0 was corrected.
    pub corrected: bool,
}

/// What Prometheus says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prometheus {
    /// What is true.
    Fresh,
    /// What was true before the chambers started.
    Stale,
    /// It has no series of the chambers.
    Absent,
    /// It cannot be asked.
    Down,
}

/// What chambers attest when they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answers {
    /// What is true: each one unsealed.
    True,
    /// The first of each release does not answer.
    OneSilent,
    /// The first of each release attests something else.
    OneLies,
}

/// An order of an old leader, with what it rested on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Late {
    /// Status when the order was given.
    pub record: Record,
    /// What the user wanted then.
    pub asked: Asked,
    /// Tags of revoked images that it had read, by key.
    pub revoked: [Images; KEYS],
    /// The order.
    pub order: Order,
}

/// What an old leader may still send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Policies: key, images before, images after.
    Policies(Vec<(u8, Images, Images)>),
    /// Sizes: release, chambers after.
    Sizes(Vec<(u8, u8)>),
}

impl State {
    /// Pods of all releases.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.sets.iter().flatten().flat_map(|set| &set.pods)
    }

    /// Unsealed chambers that stay.
    pub fn unsealed(&self) -> usize {
        self.pods().filter(|pod| pod.serves()).count()
    }

    /// Whether a release has chambers, or may get some back.
    pub fn runs(&self, release: usize) -> bool {
        self.sets[release]
            .as_ref()
            .is_some_and(|set| set.replicas > 0 || !set.pods.is_empty())
    }

    /// Images that may be taken out of policies because they were revoked: the user's word with status, or a quorum of keys.
    pub fn revoked(&self, keys: usize, threshold: usize) -> Images {
        let tagged = |bit: Images| {
            // Of a key that was read, what was read of it.
            let known = self.as_read();
            let says = |key: &Key| key.is_ours() && key.revoked & bit != 0;
            let pairs = self.keys[..keys].iter().zip(&known);
            pairs
                .filter(|(key, known)| says(key) || says(known))
                .count()
        };
        let asked = self.asked.revoke;
        let bits = (0..RELEASES).map(|release| 1 << release);
        bits.filter(|bit| {
            let told = self.record.revoked & bit != 0 && (asked & bit != 0 || tagged(*bit) > 0);
            told || tagged(*bit) > 0 && keys - tagged(*bit) < threshold
        })
        .fold(0, |all, bit| all | bit)
    }

    /// The keys as they were read; those that were not, as they are.
    pub fn as_read(&self) -> [Key; KEYS] {
        let mut keys = self.keys;
        if let Some(seen) = &self.seen {
            let same = seen.corrected == self.asked.corrected;
            let known = usize::from(!same)..KEYS;
            keys[known.clone()].copy_from_slice(&seen.keys[known]);
        }
        keys
    }

    /// Keys whose stored policy lets the release decrypt.
    pub fn usable(&self, release: usize, keys: usize) -> usize {
        let usable = |key: &&Key| !key.disabled && !key.fenced && key.stored & (1 << release) != 0;
        self.keys[..keys].iter().filter(usable).count()
    }

    /// Every chamber that a node has room for gets one; `room` of none means that there is enough.
    pub fn place(&mut self, room: u8) {
        let mut placed = self.pods().filter(|pod| pod.placed).count();
        for set in self.sets.iter_mut().flatten() {
            for pod in set.pods.iter_mut().filter(|pod| !pod.placed) {
                if room == 0 || placed < usize::from(room) {
                    (pod.placed, placed) = (true, placed + 1);
                }
            }
            set.pods.sort_unstable();
        }
    }

    /// The clock is set back: what was recorded lies in the future, or is younger than it was.
    pub fn set_clock_back(&mut self) {
        let younger = |age: &mut Age| *age -= BACK;
        self.ages(younger);
    }

    /// A minute passes, as far as anything asks.
    pub fn grow_older(&mut self) {
        self.ages(|age| *age = (*age + 1).min(AGE));
    }

    fn ages(&mut self, change: impl Fn(&mut Age)) {
        for set in self.sets.iter_mut().flatten() {
            for pod in &mut set.pods {
                pod.unsealed.iter_mut().for_each(&change);
                pod.leaving.iter_mut().for_each(&change);
            }
            set.pods.sort_unstable();
        }
        if let Some(rollover) = &mut self.record.rollover {
            rollover.admitted.iter_mut().for_each(&change);
            change(&mut rollover.progressed);
        }
        self.record.ended.iter_mut().for_each(&change);
        if let Some(seen) = &mut self.seen {
            change(&mut seen.age);
        }
    }

    /// The operator's process ends, and what it knew is lost.
    pub fn dies(&mut self) {
        (self.seen, self.fenced, self.witnessed) = (None, false, None);
    }

    /// Whatever rests on the `ReplicaSet` as it was is void now.
    pub fn set_changed(&mut self, release: usize) {
        if let Some(Order::Sizes(sizes)) = self.late.as_mut().map(|late| &mut late.order) {
            sizes.retain(|(late, _)| usize::from(*late) != release);
            if sizes.is_empty() {
                self.late = None;
            }
        }
        if let Some(set) = &mut self.sets[release] {
            set.replicate();
        }
    }

    /// Whatever rests on the policy as it was is void now.
    pub fn policy_changed(&mut self, key: usize) {
        if let Some(Order::Policies(writes)) = self.late.as_mut().map(|late| &mut late.order) {
            writes.retain(|(late, _, _)| usize::from(*late) != key);
            if writes.is_empty() {
                self.late = None;
            }
        }
    }
}

impl Set {
    /// What the `ReplicaSet` controller does: sealed pods go first, new ones come sealed.
    pub fn replicate(&mut self) {
        let stays = |pod: &Pod| pod.leaving.is_none();
        while self.pods.iter().filter(|pod| stays(pod)).count() < usize::from(self.replicas) {
            self.pods.push(Pod {
                unsealed: None,
                leaving: None,
                placed: false,
            });
        }
        while self.pods.iter().filter(|pod| stays(pod)).count() > usize::from(self.replicas) {
            let sealed = self
                .pods
                .iter()
                .position(|pod| stays(pod) && pod.unsealed.is_none());
            let Some(index) = sealed.or_else(|| self.pods.iter().position(stays)) else {
                return;
            };
            self.pods[index].leaving = Some(0);
        }
        self.pods.sort_unstable();
    }
}

impl Pod {
    /// Unsealed and staying.
    pub fn serves(&self) -> bool {
        self.unsealed.is_some() && self.leaving.is_none()
    }
}
