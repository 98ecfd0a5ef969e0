//! Tags on the keys: facts that outlive a lost or restored status.

use measurement::Pcr;

use crate::{Record, Rollover, World};

/// `<cluster uid>/<namespace>/<name>`.
pub const OWNER: &str = "chamber.dev/owner";
/// Cluster id, for people.
pub const CLUSTER_ID: &str = "chamber.dev/cluster-id";
/// Hex of the commitment to the master key.
pub const COMMITMENT: &str = "chamber.dev/commitment";
/// How far rollovers have come: `<number>/admit` or `<number>/retire`.
pub const ROLLOVER: &str = "chamber.dev/rollover";

/// How far rollovers have come: their number, and whether the last one retires.
pub type Progress = (u64, bool);

/// The tag whose value is a revoked image.
pub fn revoked(image: &Pcr) -> String {
    let hex = image.to_string();
    format!("chamber.dev/revoked/{}", hex.get(..16).unwrap_or(&hex))
}

/// The tag's text.
pub fn progress_text((number, retires): Progress) -> String {
    format!("{number}/{}", if retires { "retire" } else { "admit" })
}

/// Reads the tag's text; what cannot be read counts as never written.
pub fn progress(text: &str) -> Option<Progress> {
    let (number, phase) = text.split_once('/')?;
    let retires = match phase {
        "admit" => false,
        "retire" => true,
        _ => return None,
    };
    Some((number.parse().ok()?, retires))
}

/// How far status says that rollovers have come. A rollover that has ended has retired.
pub fn recorded(record: &Record) -> Progress {
    let retires = record.rollover.as_ref().is_none_or(Rollover::retires);
    (record.rollovers, retires)
}

/// The furthest progress that any key of this cluster carries.
pub fn furthest(world: &World) -> Option<Progress> {
    world
        .facts()
        .filter(|(_, facts)| facts.tags.get(OWNER) == Some(&world.spec.owner))
        .filter_map(|(_, facts)| progress(facts.tags.get(ROLLOVER)?))
        .max()
}
