//! What binds whoever could open the master key: retirement, and the cluster manifest.

use chamber_api::conditions as types;
use key_policy::Profile;
use measurement::{MANIFEST_REGISTER, Measurement};
use rollover::{Chamber, Key, KeyState, Reading, SealPod, World};

use super::Claim;

/// What is said of a binding.
pub enum Binding {
    /// This.
    Said(Claim),
    /// What was said of this type before: a key was not read since the operator started.
    AsBefore(&'static str),
    /// Nothing: the cluster has no such condition.
    None,
}

/// Whether retiring a measurement binds everybody.
pub fn retirement(world: &World) -> Binding {
    let claim = |holds, reason, message: String| {
        Binding::Said(Claim::new(
            types::RETIREMENT_BINDING,
            holds,
            reason,
            message,
        ))
    };
    let shares = &world.spec.shares;
    if shares
        .iter()
        .all(|share| share.template.profile == Profile::Standard)
    {
        return claim(false, "ProfileStandard", "retiring a measurement binds the enclave role; another IAM principal of the key's account that may use the key is not bound by it. spec.keys.policy.profile: Pinned binds everybody".into());
    }
    if world.any_unread() {
        return Binding::AsBefore(types::RETIREMENT_BINDING);
    }
    let open = world.keys().find(|key| match key.reading {
        Reading::Facts(facts) => !facts.policy.as_ref().is_ok_and(key_policy::binds),
        Reading::Unread | Reading::Failed { .. } => true,
    });
    match open {
        None => claim(
            true,
            "ProfilePinned",
            "what is not admitted is denied to everybody".into(),
        ),
        Some(Key { share, .. }) => claim(
            false,
            "PolicyNotPinned",
            format!(
                "the policy of key {} has not the Deny statements of profile Pinned",
                share.name
            ),
        ),
    }
}

/// Whether nobody but the authority chooses master key and keys: the chambers' image takes signed manifests only, and
/// the keys open under the newest one alone. Nothing where the image seals in its own way.
pub fn manifest(world: &World) -> Binding {
    if !world.spec.managed_sealing {
        return Binding::None;
    }
    let claim = |holds, reason, message: String| {
        let message = match &world.blob_lacks {
            Some(lacks) => format!("{message}. The sealed blob {lacks}"),
            None => message,
        };
        Binding::Said(Claim::new(types::MANIFEST_BINDING, holds, reason, message))
    };
    let current = world.record.current.as_ref();
    let running = current.unwrap_or(&world.spec.release);
    if running.measurement.register(MANIFEST_REGISTER).is_none() {
        let (reason, message) = if left_out(world) {
            (
                "AuthoritiesWanted",
                "not shown: spec.release.authorities is empty, so it is not known whether the image believes a cluster manifest, and yet spec.manifest is there, or a chamber asks for one. Write the `authorities` of the image's measurement file there; where that file names none, the image takes sealed blob, keys and threshold from its host",
            )
        } else if world.spec.authorities.is_empty() {
            (
                "NoAuthority",
                "not protected: spec.release.authorities is empty, so the image takes sealed blob, keys and threshold from its host. Whoever runs the parent instance, or creates the sealed Secret or the seal pod first, can have chambers serve a master key of their own",
            )
        } else {
            (
                "NoManifest",
                "not protected yet: chambers do not run under a cluster manifest that an authority of their image signed",
            )
        };
        return claim(false, reason, message.to_owned());
    }
    if world.any_unread() {
        return Binding::AsBefore(types::MANIFEST_BINDING);
    }
    let open = under_another(world, &running.measurement);
    if open >= world.spec.threshold {
        let message = format!(
            "not protected against an older manifest: {open} keys open for this image under another manifest, too, and {} are enough. spec.keys.policy.pins: [pcr16] has them open under this one alone, once no rollover between two manifests is in flight",
            world.spec.threshold
        );
        return claim(false, "ManifestNotPinned", message);
    }
    let message = if open == 0 {
        "chambers unseal only what the cluster manifest names, and the keys open under this one alone".to_owned()
    } else {
        format!(
            "chambers unseal only what the cluster manifest names; {open} keys open under another one, too, which is fewer than the threshold of {}",
            world.spec.threshold
        )
    };
    claim(true, "ManifestPinned", message)
}

/// Whether the spec names no authority of its release, although something says that the image measures one: a manifest that
/// somebody wrote for it, or a chamber or the seal pod that asks for one.
fn left_out(world: &World) -> bool {
    let wants = |chamber: &Chamber| {
        let says = chamber.says.as_ref();
        says.is_some_and(|says| says.wants_manifest)
    };
    let seal = matches!(
        world.seal_pod,
        SealPod::Failed {
            wants_manifest: true,
            ..
        }
    );
    world.spec.authorities.is_empty()
        && (world.spec.manifest.is_some() || seal || world.chambers().any(wants))
}

/// How many keys might open for this image under another manifest, whichever that is.
fn under_another(world: &World, running: &Measurement) -> usize {
    let opens = |key: &Key<'_>| {
        let Reading::Facts(facts) = key.reading else {
            return true;
        };
        // A policy that cannot be read may let anybody in.
        let Ok(policy) = &facts.policy else {
            return true;
        };
        let template = &key.share.template;
        facts.state == KeyState::Enabled
            && key_policy::may_decrypt_with_another(policy, template, running, MANIFEST_REGISTER)
    };
    world.keys().filter(opens).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chamber_resource::spec::{self, Uids};
    use jiff::{SignedDuration, Timestamp};
    use rollover::{PersistedState, Readings, Says};
    use serde_json::json;

    /// A cluster that names neither authority nor manifest.
    fn world() -> World {
        let share = json!({"name": "a", "arn": "arn:aws:kms:eu-west-1:111122223333:key/a",
            "management": "Observed"});
        let cluster = serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "n", "uid": "u"},
            "spec": {
                "clusterId": "one",
                "release": {"image": "i", "measurement": {"imageSha384": "ab".repeat(48)}},
                "keys": {"threshold": 1, "shares": [share]},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        }));
        let drift = SignedDuration::from_mins(10);
        let spec = spec::checked(&cluster.unwrap(), &Uids::default(), drift).unwrap();
        let (record, readings) = (PersistedState::default(), Readings::default());
        World::of_keys(Timestamp::UNIX_EPOCH, spec, record, readings)
    }

    fn reason(world: &World) -> String {
        match manifest(world) {
            Binding::Said(claim) => claim.reason,
            Binding::AsBefore(_) | Binding::None => String::new(),
        }
    }

    #[test]
    fn what_asks_for_a_manifest_is_not_called_without_an_authority() {
        assert_eq!(reason(&world()), "NoAuthority");
        let chamber = |wants_manifest| Chamber {
            name: "one".into(),
            revision: "r".into(),
            measurement_id: "m".into(),
            unsealed_since: None,
            started_at: None,
            gone_by: None,
            scheduled_at: None,
            failing: None,
            node: None,
            says: Some(Says {
                words: "w".into(),
                wants_manifest,
            }),
        };
        let seal = |wants_manifest| SealPod::Failed {
            at: Timestamp::UNIX_EPOCH,
            message: "w".into(),
            wants_manifest,
        };
        for (asks, expected) in [(false, "NoAuthority"), (true, "AuthoritiesWanted")] {
            let orphans = vec![chamber(asks)];
            assert_eq!(reason(&World { orphans, ..world() }), expected);
            let seal_pod = seal(asks);
            assert_eq!(
                reason(&World {
                    seal_pod,
                    ..world()
                }),
                expected
            );
        }
    }
}
