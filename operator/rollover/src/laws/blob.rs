//! Law 11: the blob outlives everything.

use crate::{Action, World, keys};

/// Sealing happens once, and a stored blob is never overwritten.
pub fn the_blob_outlives_everything(world: &World, action: &Action) -> Result<(), String> {
    let sealed = world.record.commitment.is_some()
        || world.record.current.is_some()
        || keys::tagged_commitment(world).is_some();
    match action {
        Action::StartSeal(_) | Action::StoreBlob(_) if sealed => {
            Err("the master key was sealed before".to_owned())
        }
        Action::StoreBlob(measurement)
        | Action::BindBlob {
            to: measurement, ..
        } if world.blobs.contains_key(&measurement.id()) => {
            Err(format!("a blob for {} is stored", measurement.image_sha384))
        }
        _ => Ok(()),
    }
}
