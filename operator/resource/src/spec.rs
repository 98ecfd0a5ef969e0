//! From the resource to what the planner reads: every field checked again, as if the CRD had no rules.

use std::collections::BTreeSet;

use chamber_api::{ChamberCluster, Management, Sealing, Share as ShareSpec, names};
use jiff::SignedDuration;
use key_policy::{Profile, Template};
use kube::ResourceExt;
use rollover::{Deletion, DriftPolicy, OnFailure, Reason, Share, Spec, Verbs};

use crate::release::{self, Fault};
use crate::verification;

/// The planner's spec, or the first field that cannot be used.
///
/// `cluster_uid` names the Kubernetes cluster (uid of its namespace kube-system).
pub fn checked(
    cluster: &ChamberCluster,
    cluster_uid: &str,
    drift_interval: SignedDuration,
) -> Result<Spec, Fault> {
    let spec = &cluster.spec;
    let release = release::of_spec(spec)?;
    keys(cluster)?;
    accepted_at_risk(cluster)?;
    template(&spec.chambers.template)?;
    verification::check(&spec.verification)?;
    let pins = pins(&spec.keys.policy.pins)?;
    let shares = spec
        .keys
        .shares
        .iter()
        .map(|share| self::share(cluster, share, &pins))
        .collect::<Result<Vec<_>, _>>()?;
    let rollover = &spec.rollover;
    Ok(Spec {
        owner: owner(cluster, cluster_uid),
        cluster_id: spec.cluster_id.clone(),
        release,
        threshold: usize::try_from(spec.keys.threshold).unwrap_or(usize::MAX),
        shares,
        replicas: count("spec.chambers.replicas", spec.chambers.replicas)?,
        managed_sealing: spec.sealing == Sealing::Managed,
        max_unavailable: count("spec.rollover.maxUnavailable", rollover.max_unavailable)?,
        max_surge: count("spec.rollover.maxSurge", rollover.max_surge)?,
        settle_time: duration("spec.rollover.settleTime", &rollover.settle_time)?,
        soak_time: duration("spec.verification.soakTime", &spec.verification.soak_time)?,
        progress_deadline: duration(
            "spec.rollover.progressDeadline",
            &rollover.progress_deadline,
        )?,
        on_failure: match rollover.on_failure {
            chamber_api::OnFailure::Rollback => OnFailure::Rollback,
            chamber_api::OnFailure::Pause => OnFailure::Pause,
        },
        drift_interval,
        drift_policy: match spec.keys.policy.drift_policy {
            chamber_api::DriftPolicy::Repair => DriftPolicy::Repair,
            chamber_api::DriftPolicy::Report => DriftPolicy::Report,
        },
        dry_run: rollover.dry_run,
        paused: rollover.paused || annotation(cluster, names::PAUSED_ANNOTATION) == Some("true"),
        verbs: verbs(cluster),
        deletion: cluster
            .metadata
            .deletion_timestamp
            .as_ref()
            .map(|_| Deletion {
                orphans: cluster.finalizers().iter().any(|name| name == "orphan"),
            }),
    })
}

fn annotation<'a>(cluster: &'a ChamberCluster, name: &str) -> Option<&'a str> {
    cluster.annotations().get(name).map(String::as_str)
}

/// Verbs are annotations: an Argo CD that owns the spec leaves them alone.
fn verbs(cluster: &ChamberCluster) -> Verbs {
    let asked = |name| annotation(cluster, name).map(str::to_owned);
    Verbs {
        abort: asked(names::ABORT_ANNOTATION),
        retry: asked(names::RETRY_ANNOTATION),
        revoke: asked(names::REVOKE_ANNOTATION),
        unrevoke: asked(names::UNREVOKE_ANNOTATION),
    }
}

/// `<cluster uid>/<namespace>/<name>`: the owner's tag on keys, and the `ExternalId` of every `AssumeRole`.
pub fn owner(cluster: &ChamberCluster, cluster_uid: &str) -> String {
    let namespace = cluster.namespace().unwrap_or_default();
    format!("{cluster_uid}/{namespace}/{}", cluster.name_any())
}

/// A duration such as `90s`, `2m` or `1h30m`.
pub fn duration(field: &str, text: &str) -> Result<SignedDuration, Fault> {
    let parsed = text.parse::<SignedDuration>().ok();
    parsed
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| {
            invalid(format!(
                "{field} is {text:?}, expected a duration such as 30s, 2m or 1h30m"
            ))
        })
}

fn invalid(message: String) -> Fault {
    Fault {
        reason: Reason::InvalidSpec,
        message,
    }
}

fn count(field: &str, value: i32) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| invalid(format!("{field} is {value}, expected 0 or more")))
}

fn keys(cluster: &ChamberCluster) -> Result<(), Fault> {
    let keys = &cluster.spec.keys;
    let shares = i32::try_from(keys.shares.len()).unwrap_or(i32::MAX);
    if !(1..=shares).contains(&keys.threshold) {
        return Err(Fault {
            reason: Reason::ThresholdTooHigh,
            message: format!(
                "spec.keys.threshold is {} with {} shares: set it between 1 and the number of shares",
                keys.threshold,
                keys.shares.len()
            ),
        });
    }
    let mut seen = BTreeSet::new();
    match keys.shares.iter().find(|share| !seen.insert(&share.arn)) {
        None => Ok(()),
        Some(twice) => Err(Fault {
            reason: Reason::DuplicateKey,
            message: format!(
                "spec.keys.shares names {} twice (share {}): each share needs a key of its own",
                twice.arn, twice.name
            ),
        }),
    }
}

/// Keys that may be unusable are shares of the spec, and the threshold is reached without them.
fn accepted_at_risk(cluster: &ChamberCluster) -> Result<(), Fault> {
    let keys = &cluster.spec.keys;
    let accepted: BTreeSet<_> = keys.accept_at_risk.iter().collect();
    let names: BTreeSet<_> = keys.shares.iter().map(|share| &share.name).collect();
    if let Some(name) = accepted.difference(&names).next() {
        return Err(invalid(format!(
            "spec.keys.acceptAtRisk has {name:?}, which is no name in spec.keys.shares"
        )));
    }
    let left = i32::try_from(names.len() - accepted.len()).unwrap_or(i32::MAX);
    if left < keys.threshold {
        return Err(Fault {
            reason: Reason::ThresholdTooHigh,
            message: format!(
                "spec.keys.acceptAtRisk leaves {left} keys with spec.keys.threshold {}: accept fewer",
                keys.threshold
            ),
        });
    }
    Ok(())
}

fn template(template: &serde_json::Value) -> Result<(), Fault> {
    let Some(containers) = template.pointer("/spec/containers") else {
        return Ok(());
    };
    let named = containers.as_array().is_some_and(|containers| {
        containers
            .iter()
            .any(|container| container["name"] == chamber_api::names::ENCLAVE_CONTAINER)
    });
    if named {
        return Ok(());
    }
    Err(Fault {
        reason: Reason::EnclaveContainerMissing,
        message: "spec.chambers.template.spec.containers has no container named `enclave`: name the one that runs the release's image so".into(),
    })
}

fn pins(pins: &[String]) -> Result<BTreeSet<u8>, Fault> {
    pins.iter()
        .map(|pin| {
            release::register(pin).ok_or_else(|| {
                invalid(format!(
                    "spec.keys.policy.pins has {pin:?}, expected PCR1 to PCR31"
                ))
            })
        })
        .collect()
}

fn share(cluster: &ChamberCluster, share: &ShareSpec, pins: &BTreeSet<u8>) -> Result<Share, Fault> {
    let arn = Arn::parse(&share.arn).ok_or_else(|| {
        invalid(format!(
            "spec.keys.shares[{}].arn is {:?}, expected arn:aws:kms:<region>:<account>:key/<id>",
            share.name, share.arn
        ))
    })?;
    let managed = share.management == Management::Managed;
    if managed && share.assume_role_arn.is_none() {
        return Err(invalid(format!(
            "spec.keys.shares[{}].assumeRoleArn is missing: a Managed key needs the holder's admin role",
            share.name
        )));
    }
    let spec = &cluster.spec;
    let mut template = Template::in_account(arn.partition, arn.account, &spec.cluster_id);
    if let Some(account) = &spec.enclave_role_account_id {
        template.role_account.clone_from(account);
    }
    if let Some(role) = share.assume_role_arn.as_ref().filter(|_| managed) {
        template.admin_role_arn.clone_from(role);
    }
    template.pins.clone_from(pins);
    template.profile = match spec.keys.policy.profile {
        chamber_api::Profile::Standard => Profile::Standard,
        chamber_api::Profile::Pinned => Profile::Pinned,
    };
    Ok(Share {
        name: share.name.clone(),
        arn: share.arn.clone(),
        managed,
        accepted_at_risk: spec.keys.accept_at_risk.contains(&share.name),
        adopt: spec.keys.policy.adopt,
        template,
    })
}

/// The parts of a key ARN.
pub struct Arn<'a> {
    /// `aws`, `aws-us-gov` or `aws-cn`.
    pub partition: &'a str,
    /// Region of the key.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `arn:<partition>:kms:<region>:<account>:key/<id>`.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<_> = arn.split(':').collect();
        let ["arn", partition, "kms", region, account, key] = parts[..] else {
            return None;
        };
        let id = key.strip_prefix("key/")?;
        let well_formed = account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && !region.is_empty()
            && !id.is_empty();
        well_formed.then_some(Self {
            partition,
            region,
            account,
        })
    }
}
