//! The cluster manifest that an image with an authority needs: asked for before anything is started.

use key_policy::Profile;
use measurement::MANIFEST_REGISTER;

use crate::{
    Action, Blob, Manifest, Plan, Reason, Release, Rollover, Share, Step, Transition, World,
};

/// Takes the run manifest into the target that was begun under its seal permit: both are one release, whose enclaves
/// attest one register more. Not once a chamber was started from it, and not a manifest of another master key.
pub fn taken(world: &World, rollover: &Rollover) -> Option<Plan> {
    let wanted = &world.spec.release;
    let manifest = world.spec.manifest.as_ref()?;
    let fits = manifest.commitment.is_some() && manifest.commitment.as_deref() == sealed(world);
    let started = world.set(&wanted.revision).is_some();
    (differs_by_manifest(&rollover.to, wanted) && fits && !started).then(|| {
        let note = Transition::ManifestTaken(wanted.clone());
        Plan::act(Step::of(rollover), Action::Transition(note))
    })
}

/// Whether two descriptions are of one release, and name different manifests or only one of them names one.
pub fn differs_by_manifest(one: &Release, other: &Release) -> bool {
    one.revision == other.revision && one != other && one.measurement.same_image(&other.measurement)
}

/// Why a pin of PCR16 would not protect the spec's release, or would keep its chambers out.
pub fn unpinnable(world: &World, step: Step) -> Option<Plan> {
    let pins = |share: &&Share| share.template.pins.contains(&MANIFEST_REGISTER);
    let share = world.spec.shares.iter().find(pins)?;
    let message = if world.spec.authorities.is_empty() {
        "spec.keys.policy.pins has PCR16, and spec.release.authorities is empty: an image that measures no authority locks nothing in PCR16, so the keys would refuse its chambers. Name its authorities, or take the pin out first"
    } else if share.template.profile == Profile::Standard {
        "spec.keys.policy.pins has PCR16 with profile Standard: an identity policy in the key's account goes past statement 3 there, and with it past the pin. Set spec.keys.policy.profile to Pinned"
    } else {
        return None;
    };
    Some(Plan::block(step, Reason::InvalidSpec, message.to_owned()))
}

/// Whether the keys are to open for a release under its manifest alone: then nothing but an attested PCR16 will do.
pub fn is_pinned(world: &World, release: &Release) -> bool {
    let mut shares = world.spec.shares.iter();
    release.measurement.register(MANIFEST_REGISTER).is_some()
        && shares.any(|share| share.template.pins.contains(&MANIFEST_REGISTER))
}

/// What the spec's manifest still lacks for the spec's release; `None` where it lacks nothing, or none is needed.
pub fn wanted(world: &World, step: Step) -> Option<Plan> {
    let spec = &world.spec;
    if !spec.managed_sealing {
        return None;
    }
    let sealed = sealed(world);
    if let Some(plan) = mismatch(world, step, sealed) {
        return Some(plan);
    }
    if spec.authorities.is_empty() {
        return None;
    }
    let lacks = match (&spec.manifest, sealed) {
        (None, None) => {
            "there is none: sign a seal permit, so that the master key can be made".to_owned()
        }
        (None, Some(commitment)) => {
            format!("there is none: sign a run manifest with the commitment {commitment}")
        }
        (Some(manifest), _) if !manifest.believed => format!(
            "it is signed by [{}], and none of that is a good signature of an authority of the image: sign it with one of those keys",
            manifest.signed_by.join(", ")
        ),
        (Some(Manifest { commitment: None, .. }), Some(commitment)) => format!(
            "it is a seal permit, and the master key is sealed: sign a run manifest with the commitment {commitment}"
        ),
        (Some(Manifest { commitment: Some(_), .. }), None) => {
            "it is a run manifest, and nothing is sealed yet: restore the sealed Secret that it is of, or sign a seal permit".to_owned()
        }
        _ => return None,
    };
    let message = format!(
        "spec.manifest: release {} measures the authorities [{}], so its chambers need a cluster manifest, and {lacks}. `kubectl chamber manifest render {}` prints what to sign",
        spec.release.revision,
        spec.authorities.join(", "),
        spec.owner.name
    );
    Some(Plan::wait(step, Reason::ManifestWanted, message))
}

/// The commitment of the master key that this cluster has.
fn sealed(world: &World) -> Option<&str> {
    let recorded = world.record.commitment.as_deref();
    recorded.or_else(|| {
        world.blobs.values().find_map(|blob| match blob {
            Blob::Sound { commitment } => Some(commitment.as_str()),
            Blob::Unsound(_) => None,
        })
    })
}

/// A manifest of another master key, or a blob that was not sealed as it says: no chamber would unseal.
fn mismatch(world: &World, step: Step, sealed: Option<&str>) -> Option<Plan> {
    let manifest = world.spec.manifest.as_ref()?;
    let named = manifest.commitment.as_deref()?;
    let message = match (sealed, &world.manifest_objection) {
        (Some(sealed), _) if sealed != named => format!(
            "spec.manifest names the commitment {named}, the sealed master key of this cluster has {sealed}: sign a run manifest with that one, and find out whose the other one is"
        ),
        (_, Some(objection)) if !world.spec.authorities.is_empty() => format!(
            "spec.manifest does not fit the sealed blob: {objection}. No chamber that measures an authority would unseal it"
        ),
        _ => return None,
    };
    Some(Plan::block(step, Reason::ManifestMismatch, message))
}
