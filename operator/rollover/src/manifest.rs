//! The cluster manifest that an image with an authority needs: asked for before anything is started.

use key_policy::Profile;
use measurement::MANIFEST_REGISTER;

use crate::{
    Action, Blob, BlobObstacle, Chamber, Lacks, Manifest, Plan, Release, Rollover, Share, Step,
    Transition, Unpinnable, World,
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
        return left_out(world, step);
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

/// The image of the spec's release attests PCR16 where it runs, so it measures an authority, whatever the spec leaves out.
fn left_out(world: &World, step: Step) -> Option<Plan> {
    let wanted = &world.spec.release;
    let current = world.record.current.iter();
    let known = current.chain(world.sets.iter().map(|set| &set.release));
    let under = known.filter(|one| one.measurement.register(MANIFEST_REGISTER).is_some());
    let mut same = under.filter(|one| one.measurement.same_image(&wanted.measurement));
    let who = format!("release {} of the same image", same.next()?.revision);
    Some(Plan::wait(step, authorities_wanted(world, who)))
}

/// A chamber of the target says that its image wants a manifest, and the spec names no authority of it. It is a parent
/// instance's word: it is told, and the target's time goes on.
pub fn unlisted<'a>(
    world: &World,
    rollover: &Rollover,
    mut sealed: impl Iterator<Item = &'a &'a Chamber>,
    step: Step,
) -> Option<Plan> {
    if !may_be_unlisted(world, &rollover.to) {
        return None;
    }
    let wants = |chamber: &&&Chamber| {
        chamber
            .says
            .as_ref()
            .is_some_and(|says| says.wants_manifest)
    };
    let who = format!("chamber {}", sealed.find(wants)?.name);
    Some(Plan::wait(step, authorities_wanted(world, who)))
}

/// Whether the release is the spec's, and nothing that the spec says made the operator ask for a manifest.
pub fn may_be_unlisted(world: &World, release: &Release) -> bool {
    let spec = &world.spec;
    spec.managed_sealing && spec.authorities.is_empty() && spec.release.revision == release.revision
}

/// What to do about authorities that the spec leaves out; by whose word.
pub fn authorities_wanted(world: &World, who: String) -> BlobObstacle {
    BlobObstacle::AuthoritiesWanted {
        revision: world.spec.release.revision.clone(),
        who,
        sealed: sealed(world).map(str::to_owned),
        cluster: world.spec.owner.name.clone(),
    }
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
