//! From the resource to what the planner reads.
//!
//! What a plan rests on is checked again, since the CRD in the cluster may be an older one: measurement, threshold and ARNs,
//! pins, manifest, the enclave's container, durations, numbers of chambers, and what is asked of Prometheus. Not here, but by the
//! CRD's rules: the form of names (`clusterId`, shares, accounts), lengths, `spec.keys.policy.assume`, and what may not change.

use std::collections::{BTreeMap, BTreeSet};

use chamber_api::{ChamberCluster, Management, Sealing, Share as ShareSpec, names};
use jiff::SignedDuration;
use key_policy::{Profile, Template};
use kube::ResourceExt;
use rollover::{Deletion, DriftPolicy, OnFailure, Owner, Reason, Share, Spec, Verbs};

use crate::arn::Arn;
use crate::bounds;
use crate::fault::Fault;
use crate::manifest;
use crate::release;
use crate::verification;

/// What tells a resource from one of the same name elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Uids {
    /// uid of namespace kube-system: the customary name of a Kubernetes cluster.
    pub cluster: String,
    /// uid of the resource's namespace: one made anew under the same name is another one.
    pub namespace: String,
}

/// The planner's spec, or the first field that cannot be used.
///
/// `uids` tell this resource from one of the same name elsewhere.
pub fn checked(
    cluster: &ChamberCluster,
    uids: &Uids,
    drift_interval: SignedDuration,
) -> Result<Spec, Fault> {
    let spec = &cluster.spec;
    let release = release::of_spec(spec)?;
    keys(cluster)?;
    accepted_at_risk(cluster)?;
    template(&spec.chambers.template)?;
    let (manifest, authorities) = manifest::facts(spec)?;
    verification::check(&spec.verification)?;
    let pins = pins(&spec.keys.policy.pins)?;
    let shares = spec.keys.shares.iter();
    let shares = shares.map(|share| self::share(cluster, share, &pins));
    let shares = shares.collect::<Result<Vec<_>, _>>()?;
    let rollover = &spec.rollover;
    let bounds = bounds::of(cluster)?;
    Ok(Spec {
        owner: owner(cluster, uids),
        cluster_id: spec.cluster_id.clone(),
        release,
        manifest,
        authorities,
        threshold: usize::try_from(spec.keys.threshold).unwrap_or(usize::MAX),
        shares,
        replicas: bounds.replicas,
        managed_sealing: spec.sealing == Sealing::Managed,
        max_unavailable: bounds.max_unavailable,
        max_surge: bounds.max_surge,
        settle_time: duration("spec.rollover.settleTime", &rollover.settle_time)?,
        gate: verification::gate(&spec.verification, spec.sealing)?,
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
        deletion: deletion(cluster),
    })
}

fn deletion(cluster: &ChamberCluster) -> Option<Deletion> {
    cluster.metadata.deletion_timestamp.as_ref()?;
    let orphans = cluster.finalizers().iter().any(|name| name == "orphan");
    Some(Deletion { orphans })
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
        transfer: asked(names::TRANSFER_ANNOTATION),
    }
}

/// Whose the keys of a resource are.
pub fn owner(cluster: &ChamberCluster, uids: &Uids) -> Owner {
    Owner {
        cluster_uid: uids.cluster.clone(),
        namespace: cluster.namespace().unwrap_or_default(),
        namespace_uid: uids.namespace.clone(),
        name: cluster.name_any(),
    }
}

/// A duration such as `90s`, `2m` or `1h30m`.
pub fn duration(field: &str, text: &str) -> Result<SignedDuration, Fault> {
    let parsed = text.parse::<SignedDuration>().ok();
    parsed
        .filter(|duration| !duration.is_negative())
        .ok_or_else(|| {
            Fault::invalid(format!(
                "{field} is {text:?}, expected a duration such as 30s, 2m or 1h30m"
            ))
        })
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
        None => replicas(&keys.shares),
        Some(twice) => Err(Fault {
            reason: Reason::DuplicateKey,
            message: format!(
                "spec.keys.shares names {} twice (share {}): each share needs a key of its own",
                twice.arn, twice.name
            ),
        }),
    }
}

/// Whoever may decrypt with one replica of a multi-Region key opens what was encrypted under any: two shares would be one.
fn replicas(shares: &[ShareSpec]) -> Result<(), Fault> {
    let mut seen = BTreeMap::new();
    for share in shares {
        let Some(key) = Arn::parse(&share.arn).and_then(|arn| arn.replicated()) else {
            continue;
        };
        if let Some(first) = seen.insert(key, &share.name) {
            return Err(Fault {
                reason: Reason::DuplicateKey,
                message: format!(
                    "spec.keys.shares {first} and {} name replicas of one multi-Region key ({}): both hold the same key material, so a share under each is no second share. Give each share a key of its own",
                    share.name, key[2]
                ),
            });
        }
    }
    Ok(())
}

/// Keys that may be unusable are shares of the spec, and the threshold is reached without them.
fn accepted_at_risk(cluster: &ChamberCluster) -> Result<(), Fault> {
    let keys = &cluster.spec.keys;
    let accepted: BTreeSet<_> = keys.accept_at_risk.iter().collect();
    let names: BTreeSet<_> = keys.shares.iter().map(|share| &share.name).collect();
    if let Some(name) = accepted.difference(&names).next() {
        return Err(Fault::invalid(format!(
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
                Fault::invalid(format!(
                    "spec.keys.policy.pins has {pin:?}, expected pcr1 to pcr31"
                ))
            })
        })
        .collect()
}

fn share(cluster: &ChamberCluster, share: &ShareSpec, pins: &BTreeSet<u8>) -> Result<Share, Fault> {
    let arn = Arn::parse(&share.arn).ok_or_else(|| {
        Fault::invalid(format!(
            "spec.keys.shares[{}].arn is {:?}, expected arn:aws:kms:<region>:<account>:key/<id>",
            share.name, share.arn
        ))
    })?;
    let managed = share.management == Management::Managed;
    if managed && share.assume_role_arn.is_none() {
        return Err(Fault::invalid(format!(
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
    template.key_arn = Some(share.arn.clone());
    template.assume.clone_from(&spec.keys.policy.assume);
    Ok(Share {
        name: share.name.clone(),
        arn: share.arn.clone(),
        managed,
        accepted_at_risk: spec.keys.accept_at_risk.contains(&share.name),
        adopt: spec.keys.policy.adopt,
        template,
    })
}
