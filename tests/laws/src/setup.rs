//! One small world's size and rules, and everything that is built once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use key_policy::{Policy, Profile, Template};
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};
use rollover::{
    DriftPolicy, Gate, KeyFacts, OnFailure, Owner, Release, Share, Spec, Verbs, policy_content,
};

use crate::state::{Age, FOREIGN, Images, KEYS, Key, RELEASES};

/// The external id of the other cluster that tags keys.
pub const OTHER: &str = "other/ns/uid/signer";

/// Whose the keys are.
pub fn owner() -> Owner {
    Owner {
        cluster_uid: "uid".to_owned(),
        namespace: "ns".to_owned(),
        namespace_uid: "ns-uid".to_owned(),
        name: "signer".to_owned(),
    }
}
/// A statement of somebody else, which must stay.
const FOREIGN_STATEMENT: &str = r#"{"Sid":"Audit","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Auditor"},"Action":"kms:DescribeKey","Resource":"*"}"#;

/// A Deny that holds, or does not: nobody said from where the chambers call.
const FENCE: &str = r#",{"Sid":"Fence","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}}"#;

/// Size and rules of a small world.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
pub struct Size {
    /// Chambers wanted.
    pub chambers: u8,
    /// Keys.
    pub keys: usize,
    /// Shares that open the master key.
    pub threshold: usize,
    /// Chambers that may be missing.
    pub max_unavailable: u8,
    /// Chambers that may run beyond those wanted.
    pub max_surge: u8,
    /// What follows a failure.
    pub on_failure: OnFailure,
    /// Releases that never unseal, as bits.
    pub broken: Images,
    /// Keys whose policy their holder writes, as bits.
    pub observed: u8,
    /// Keys whose holder does nothing, as bits.
    pub silent: u8,
    /// The user may make a key Observed, or Managed.
    pub remanages: bool,
    /// Keys that the spec accepts at risk, as bits.
    pub accepted: u8,
    /// The image unseals in its own way.
    pub external: bool,
    /// Whether chambers are asked to attest; where they are, they may fall silent or lie.
    pub gate: Gate,
    /// Somebody may write status and nothing else.
    pub forged: bool,
    /// The user may want another number of chambers, none among them.
    pub scales: bool,
    /// Another cluster may tag keys as its own.
    pub others: bool,
    /// Somebody may put a Deny around keys of which nobody can say whether it holds.
    pub fences: bool,
    /// Somebody may fill a key's tags, so that it takes no more.
    pub fills: bool,
    /// Something else changes the policy of key 0 back again and again.
    pub flips: bool,
    /// Somebody may delete `ReplicaSets`, and what is kept of them.
    pub vanishes: bool,
    /// Seal pods are stuck, fail or are somebody else's, and so are sealed Secrets.
    pub seals: bool,
    /// The user may correct the ARN of key 0 before the first seal.
    pub corrects: bool,
    /// The clock may be set back.
    pub clock: bool,
    /// Chambers that nodes have room for; none means enough.
    pub room: u8,
    /// Releases 0 and 1 are one image under two cluster manifests, and the keys pin the manifest.
    pub manifests: bool,
    /// Keys that somebody else rolled are taken over.
    pub adopts: bool,
    /// From an empty namespace, or settled on release 0.
    pub from_nothing: bool,
    /// Things that may go wrong.
    pub faults: u8,
    /// Things that the user may ask for.
    pub wishes: u8,
}

/// A size, and what every state of it shares.
pub struct Setup {
    /// Size and rules.
    pub size: Size,
    /// The time of every look: states hold ages.
    pub now: Timestamp,
    /// The planner's spec, but for what the user changes.
    pub spec: Spec,
    /// The releases.
    pub releases: Vec<Release>,
    /// Per key: the policy for every set of images.
    policies: Vec<Vec<Policy>>,
    /// The same with a fence around the key.
    fenced: Vec<Vec<Policy>>,
    /// Per key: the digest of what is written for every set of images.
    contents: Vec<Vec<String>>,
    /// Readings of keys that were built before, by key, content and age.
    pub(crate) readings: RefCell<HashMap<(usize, Key, Age), Arc<KeyFacts>>>,
}

impl Setup {
    /// Builds everything once.
    ///
    /// # Errors
    ///
    /// A constant of this file cannot be read.
    pub fn new(size: Size) -> Result<Self, String> {
        let now = "2026-11-01T10:00:00Z"
            .parse()
            .map_err(|error| format!("{error}"))?;
        let releases: Vec<_> = (0..RELEASES).map(|index| release(size, index)).collect();
        let shares: Vec<_> = (0..size.keys).map(|index| share(size, index)).collect();
        let policies = |more: &str| {
            let each = shares.iter().map(|share| {
                let images = 0..FOREIGN << 1;
                images
                    .map(|images| policy(size, share, images, more))
                    .collect()
            });
            each.collect::<Result<Vec<Vec<Policy>>, String>>()
        };
        let contents = shares.iter().map(|share| {
            let of = |images| policy_content(&share.template, &admitted(size, images));
            (0..FOREIGN << 1).map(of).collect()
        });
        let contents = contents.collect();
        let (fenced, policies) = (policies(FENCE)?, policies("")?);
        Ok(Self {
            now,
            spec: spec(size, &releases, shares),
            releases,
            policies,
            fenced,
            contents,
            readings: RefCell::default(),
            size,
        })
    }

    /// The ARN of a key, before the user corrects it or afterwards.
    pub fn arn(&self, key: usize, corrected: bool) -> String {
        let arn = &self.spec.shares[key].arn;
        let mended = if corrected && key == 0 { "-right" } else { "" };
        format!("{arn}{mended}")
    }

    /// The policy of a key that admits these images.
    pub fn policy(&self, key: usize, images: Images) -> &Policy {
        &self.policies[key][usize::from(images)]
    }

    /// The same, with a fence around the key or without.
    pub fn policy_of(&self, key: usize, images: Images, fenced: bool) -> &Policy {
        if fenced {
            &self.fenced[key][usize::from(images)]
        } else {
            self.policy(key, images)
        }
    }

    /// The images of a policy; `None` where it is not one of this world's.
    pub fn images(&self, key: usize, policy: &Policy) -> Option<Images> {
        let images = 0..FOREIGN << 1;
        images.into_iter().find(|images| {
            [false, true]
                .iter()
                .any(|fenced| self.policy_of(key, *images, *fenced).equivalent(policy))
        })
    }

    /// The digest of what is written to a key so that it admits these images.
    pub fn content(&self, key: usize, images: Images) -> &str {
        &self.contents[key][usize::from(images)]
    }

    /// The images that a digest stands for.
    pub fn of_content(&self, key: usize, content: &str) -> Option<Images> {
        (0..FOREIGN << 1).find(|images| self.content(key, *images) == content)
    }

    /// A time so many minutes ago.
    pub fn ago(&self, age: Age) -> Timestamp {
        self.now - SignedDuration::from_mins(i64::from(age))
    }

    /// The releases of the same image as this one, as bits: they start from one blob, and are revoked together.
    pub fn of_image(&self, release: u8) -> Images {
        let of = |index: usize| self.releases.get(index).map(|one| one.measurement.id());
        let same = |index: &usize| of(*index) == of(release.into());
        (0..RELEASES)
            .filter(same)
            .fold(0, |bits, index| bits | 1 << index)
    }

    /// The number of the release with this measurement; that of [`FOREIGN`] where none has it.
    pub fn index_of(&self, measurement: &Measurement) -> u8 {
        let mut releases = self.releases.iter();
        let found = releases.position(|release| release.measurement == *measurement);
        u8::try_from(found.unwrap_or(RELEASES)).unwrap_or(0)
    }

    /// The index of a release.
    pub fn index(&self, release: &Release) -> u8 {
        let found = self
            .releases
            .iter()
            .position(|known| known.revision == release.revision);
        u8::try_from(found.unwrap_or(RELEASES)).unwrap_or(u8::MAX)
    }
}

/// The measurement of a release, or of the image that is none.
pub(crate) fn measurement(size: Size, index: usize) -> Measurement {
    let byte = |index: usize| Pcr::from_bytes([u8::try_from(index + 1).unwrap_or(u8::MAX); 48]);
    if !size.manifests {
        return Measurement::image(byte(index));
    }
    let image = if index == 1 { 0 } else { index };
    Measurement {
        image_sha384: byte(image),
        registers: [(MANIFEST_REGISTER, byte(index))].into(),
    }
}

fn release(size: Size, index: usize) -> Release {
    Release {
        image: format!("chamber:v{}", index + 1),
        measurement: measurement(size, index),
        revision: format!("v{}", index + 1),
        generation: 1,
    }
}

fn share(size: Size, index: usize) -> Share {
    let name = ["a", "b", "c"][index.min(KEYS - 1)];
    let mut template = Template::in_account("aws", "111122223333", "small-world");
    if size.manifests {
        template.pins.insert(MANIFEST_REGISTER);
        template.profile = Profile::Pinned;
    }
    Share {
        name: name.to_owned(),
        arn: format!("arn:aws:kms:us-east-1:111122223333:key/{name}"),
        managed: size.observed & (1 << index) == 0,
        accepted_at_risk: size.accepted & (1 << index) != 0,
        adopt: size.adopts,
        template,
    }
}

fn admitted(size: Size, images: Images) -> Vec<Measurement> {
    (0..=RELEASES)
        .filter(|index| images & (1 << index) != 0)
        .map(|index| measurement(size, index))
        .collect()
}

/// The five statements that admit these images, and statements of somebody else.
fn policy(size: Size, share: &Share, images: Images, more: &str) -> Result<Policy, String> {
    let rendered = share.template.render(&admitted(size, images)).to_json();
    let end = rendered.rfind(']').ok_or("no list of statements")?;
    let text = format!(
        "{},{FOREIGN_STATEMENT}{more}{}",
        &rendered[..end],
        &rendered[end..]
    );
    Policy::parse(&text).map_err(|error| error.to_string())
}

fn spec(size: Size, releases: &[Release], shares: Vec<Share>) -> Spec {
    Spec {
        owner: owner(),
        cluster_id: "small-world".to_owned(),
        release: releases[0].clone(),
        manifest: None,
        authorities: Vec::new(),
        threshold: size.threshold,
        shares,
        replicas: u32::from(size.chambers),
        managed_sealing: !size.external,
        max_unavailable: u32::from(size.max_unavailable),
        max_surge: u32::from(size.max_surge),
        gate: size.gate,
        settle_time: SignedDuration::from_mins(1),
        soak_time: SignedDuration::from_mins(1),
        progress_deadline: SignedDuration::from_mins(3),
        on_failure: size.on_failure,
        drift_interval: SignedDuration::from_mins(5),
        drift_policy: DriftPolicy::Repair,
        dry_run: false,
        paused: false,
        verbs: Verbs::default(),
        deletion: None,
    }
}
