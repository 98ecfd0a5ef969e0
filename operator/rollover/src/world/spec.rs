//! What the user declares, checked and typed.

use jiff::SignedDuration;
use key_policy::Template;
use measurement::{Measurement, Pcr};

use super::attestation::Gate;
use super::owner::Owner;

/// The generation that a seal makes; wrapping the shares anew counts on.
pub const FIRST_GENERATION: u32 = 1;

/// What the user declares, checked and typed.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Whose the keys are to be.
    pub owner: Owner,
    /// Name in the enclave role.
    pub cluster_id: String,
    /// The release that the chambers shall run.
    pub release: Release,
    /// The cluster manifest, where there is one.
    pub manifest: Option<Manifest>,
    /// Fingerprints of the authorities that the release's image measures: with one it does nothing without a manifest.
    pub authorities: Vec<String>,
    /// Shares that open the master key.
    pub threshold: usize,
    /// The keys.
    pub shares: Vec<Share>,
    /// Chambers wanted.
    pub replicas: u32,
    /// Our agent and blob (true), or the image's own way (false).
    pub managed_sealing: bool,
    /// Chambers that may be missing while rolling.
    pub max_unavailable: u32,
    /// Chambers beyond `replicas` while rolling.
    pub max_surge: u32,
    /// From the last policy write to the first start.
    pub settle_time: SignedDuration,
    /// Whether Verify rests on what chambers attest; Disabled with External sealing.
    pub gate: Gate,
    /// Time without a rejection before Retire.
    pub soak_time: SignedDuration,
    /// Without progress for this long, the target has failed.
    pub progress_deadline: SignedDuration,
    /// What happens when the target has failed.
    pub on_failure: OnFailure,
    /// Between two readings of settled keys.
    pub drift_interval: SignedDuration,
    /// What happens to a policy that a foreign hand changed while nothing is in flight.
    pub drift_policy: DriftPolicy,
    /// Change nothing, and show what would change.
    pub dry_run: bool,
    /// Stop before the next action.
    pub paused: bool,
    /// What a person asks for once.
    pub verbs: Verbs,
    /// The resource is being deleted.
    pub deletion: Option<Deletion>,
}

/// A release in its exact form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Container image.
    pub image: String,
    /// What its enclave attests.
    pub measurement: Measurement,
    /// Name of image, measurement and pod template together.
    pub revision: String,
    /// Of the master key's wrapping that its chambers unseal: what its manifest says, and 1 without one.
    pub generation: u32,
}

impl Release {
    /// What its sealed Secret is called by, after the cluster's name.
    pub fn blob_id(&self) -> String {
        blob_id(&self.measurement, self.generation)
    }

    /// What its `ReplicaSet` is called by, after the cluster's name.
    pub fn set_id(&self) -> String {
        of_generation(&self.revision, self.generation)
    }
}

/// What the sealed Secret is called by whose blob is bound to a measurement: two generations of one image have two.
pub fn blob_id(measurement: &Measurement, generation: u32) -> String {
    of_generation(&measurement.id(), generation)
}

/// The first generation is not written: clusters that were sealed before a second one could be have such names.
fn of_generation(name: &str, generation: u32) -> String {
    match generation {
        FIRST_GENERATION => name.to_owned(),
        later => format!("{name}-g{later}"),
    }
}

/// The cluster manifest, as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Digest of its body, hex.
    pub digest: String,
    /// Commitment of the master key that may be unsealed under it, hex; none in a seal permit.
    pub commitment: Option<String>,
    /// An authority that the release's image measures signed it.
    pub believed: bool,
    /// Fingerprints of those who signed it, whether well or not.
    pub signed_by: Vec<String>,
}

/// One share's key, as the spec names it.
#[derive(Clone, Debug)]
pub struct Share {
    /// Name in messages.
    pub name: String,
    /// ARN of the key.
    pub arn: String,
    /// The operator writes the policy (true), or its holder (false).
    pub managed: bool,
    /// The spec accepts, by name, that this key cannot be used at the moment.
    pub accepted_at_risk: bool,
    /// A policy that somebody else made may be taken over.
    pub adopt: bool,
    /// The template of this key's policy.
    pub template: Template,
}

/// What happens when the target of a rollover has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The same five steps back to the release before.
    Rollback,
    /// Everything stays as it is until a person decides.
    Pause,
}

/// What happens to a policy that a foreign hand changed while nothing is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftPolicy {
    /// It is put back.
    Repair,
    /// It is reported.
    Report,
}

/// What a person asks for once. A token names one asking, so that it is answered once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verbs {
    /// Leave the target and return to the release before.
    pub abort: Option<String>,
    /// Try again what failed.
    pub retry: Option<String>,
    /// Take images out of every policy at once: lines of `<imageSha384> <why>`.
    pub revoke: Option<String>,
    /// Give revocations up: lines of `<imageSha384> <why>`.
    pub unrevoke: Option<String>,
    /// Take keys over from their owner: its external id, or the value of its tag where it is without one.
    pub transfer: Option<String>,
}

impl Verbs {
    /// Whether the asking to revoke this image is still there.
    pub fn asks_to_revoke(&self, image: &Pcr) -> bool {
        names(self.revoke.as_deref(), image)
    }

    /// Whether the asking to give up the revocation of this image is still there, and it is not asked for again.
    pub fn asks_to_unrevoke(&self, image: &Pcr) -> bool {
        names(self.unrevoke.as_deref(), image) && !self.asks_to_revoke(image)
    }
}

impl Verbs {
    /// The images, in hex, whose revocation is asked to be given up and not asked for again.
    pub fn given_up(&self) -> Vec<&str> {
        let lines = self.unrevoke.iter().flat_map(|text| text.lines());
        lines
            .filter_map(|line| line.split_whitespace().next())
            .filter(|image| Pcr::parse(image).is_ok_and(|image| self.asks_to_unrevoke(&image)))
            .collect()
    }
}

/// Whether a line of the text begins with the image.
fn names(text: Option<&str>, image: &Pcr) -> bool {
    let mut lines = text.into_iter().flat_map(str::lines);
    let image = image.to_string();
    lines.any(|line| line.split_whitespace().next() == Some(image.as_str()))
}

/// The resource is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The chambers are to stay (`kubectl delete --cascade=orphan`).
    pub orphans: bool,
}
