//! Law 11: the blob outlives everything.

use measurement::Measurement;

use crate::{Action, FIRST_GENERATION, World, blob_id, keys};

/// Sealing happens once, and a stored blob is never overwritten.
pub fn the_blob_outlives_everything(world: &World, action: &Action) -> Result<(), String> {
    let sealed = world.record.commitment.is_some()
        || world.record.current.is_some()
        || keys::tagged_commitment(world).is_some();
    match action {
        Action::StartSeal(_) | Action::StoreBlob(_) if sealed => {
            Err("the master key was sealed before".to_owned())
        }
        Action::StoreBlob(to) => stored(world, to, FIRST_GENERATION),
        Action::BindBlob { to, generation, .. } => stored(world, to, *generation),
        _ => Ok(()),
    }
}

fn stored(world: &World, to: &Measurement, generation: u32) -> Result<(), String> {
    if world.blobs.contains_key(&blob_id(to, generation)) {
        return Err(format!("a blob for {} is stored", to.image_sha384));
    }
    Ok(())
}
