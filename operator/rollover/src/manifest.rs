//! The cluster manifest that an image with an authority needs: asked for before anything is started.

use key_policy::Profile;
use measurement::MANIFEST_REGISTER;

use crate::{
    Action, Blob, BlobObstacle, Lacks, Manifest, Plan, Release, Rollover, Share, Step, Transition,
    Unpinnable, World,
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
    let why = if world.spec.authorities.is_empty() {
        Unpinnable::NoAuthority
    } else if share.template.profile == Profile::Standard {
        Unpinnable::Standard
    } else {
        return None;
    };
    Some(Plan::block(step, BlobObstacle::Unpinnable(why)))
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
        (None, None) => Lacks::Permit,
        (None, Some(commitment)) => Lacks::Run(commitment.to_owned()),
        (Some(manifest), _) if !manifest.believed => Lacks::Belief(manifest.signed_by.clone()),
        (Some(Manifest { commitment, .. }), sealed) => match (commitment, sealed) {
            (None, Some(commitment)) => Lacks::Commitment(commitment.to_owned()),
            (Some(_), None) => Lacks::Seal,
            _ => return None,
        },
    };
    let wanted = BlobObstacle::ManifestWanted {
        revision: spec.release.revision.clone(),
        authorities: spec.authorities.clone(),
        lacks,
        cluster: spec.owner.name.clone(),
    };
    Some(Plan::wait(step, wanted))
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
    let found = match (sealed, &world.manifest_objection) {
        (Some(sealed), _) if sealed != named => {
            BlobObstacle::ManifestOfAnother(named.to_owned(), sealed.to_owned())
        }
        (_, Some(objection)) if !world.spec.authorities.is_empty() => {
            BlobObstacle::ManifestMisfit(objection.clone())
        }
        _ => return None,
    };
    Some(Plan::block(step, found))
}
