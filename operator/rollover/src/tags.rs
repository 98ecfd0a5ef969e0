//! Tags on the keys: facts that outlive a lost or restored status.
//!
//! What one key's tags say concerns that key; they may stop that an image is admitted, never take one out of others.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};

use crate::world::external_id;
use crate::{PersistedState, Rollover};

/// `<cluster uid>/<namespace>/<name>`.
pub const OWNER: &str = "chamber.dev/owner";
/// uid of the owner's namespace: one that was made anew under the same name inherits nothing. Keys that were claimed
/// before 0.2 are without it until their next claim.
pub const NAMESPACE_UID: &str = "chamber.dev/namespace-uid";
/// Cluster id, for people.
pub const CLUSTER_ID: &str = "chamber.dev/cluster-id";
/// Hex of the commitment to the master key.
pub const COMMITMENT: &str = "chamber.dev/commitment";
/// How far rollovers have come: `<number>/admit` or `<number>/retire`.
pub const ROLLOVER: &str = "chamber.dev/rollover";
/// Id of the measurement that a rollover has begun to retire the others for: it proves Retire to whoever reads status.
pub const RETIRED_FOR: &str = "chamber.dev/retired-for";

/// What that tag says of a target: its image's id, and with a manifest the beginning of its PCR16, because one image
/// under two manifests has one id.
pub fn retired_for(target: &Measurement) -> String {
    match target.register(MANIFEST_REGISTER) {
        None => target.id(),
        Some(pcr) => format!("{}-{}", target.id(), &pcr.to_string()[..10]),
    }
}
/// When a lost owner tag was put back (RFC 3339): the policy is not written before [`HEALING`] is over.
pub const HEALED_AT: &str = "chamber.dev/healed-at";
/// Revoked images: the first [`PREFIX`] hex characters of each, by spaces. Pages count from 1.
const REVOKED: &str = "chamber.dev/revoked-";
/// One image a tag, as it was written before.
const REVOKED_BEFORE: &str = "chamber.dev/revoked/";

/// From putting an owner tag back to the first write: longer than a reading of keys counts as fresh and a call
/// may take, so that of two clusters that put it back, one sees the other's.
pub const HEALING: SignedDuration = SignedDuration::from_mins(1);
/// Hex characters of an image in a tag: 128 bits, which nobody finds a second image for.
const PREFIX: usize = 32;
/// Images of a page: a tag's value has 256 characters at most.
const PAGE: usize = 7;
/// Images that the tags of one key hold at most: fourteen of KMS's fifty tags.
pub const MOST_REVOKED: usize = 14 * PAGE;
/// No cluster has that many rollovers: a larger number was written by somebody else.
const MOST_ROLLOVERS: u64 = 1_000_000_000;

/// How far rollovers have come: their number, and whether the last one retires.
pub type Progress = (u64, bool);

/// What stands for an image among the revoked ones.
pub fn prefix(image: &Pcr) -> String {
    let hex = image.to_string();
    hex.get(..PREFIX).unwrap_or(&hex).to_owned()
}

/// The images that a key's tags call revoked, each by how its hex begins.
pub fn revoked(tags: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    tags.iter().flat_map(|(name, value)| {
        let before = name.strip_prefix(REVOKED_BEFORE);
        let pages = name.starts_with(REVOKED).then_some(value.as_str());
        let each = pages.into_iter().flat_map(str::split_whitespace);
        each.chain(before)
            .filter(|prefix| prefix.len() >= PREFIX / 2)
    })
}

/// Whether a key's tags call an image revoked.
pub fn revokes(tags: &BTreeMap<String, String>, image: &Pcr) -> bool {
    let hex = image.to_string();
    revoked(tags).any(|prefix| hex.starts_with(prefix))
}

/// The tags that call these images revoked. A page more than is full, so that one image less leaves nothing behind.
pub fn revoked_pages(images: &[String]) -> Vec<(String, String)> {
    let page = |index: usize| {
        let on_it: Vec<_> = images.iter().skip(index * PAGE).take(PAGE).collect();
        let text: Vec<_> = on_it.iter().map(|image| image.as_str()).collect();
        (format!("{REVOKED}{}", index + 1), text.join(" "))
    };
    (0..=images.len() / PAGE).map(page).collect()
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
    let number = number.parse().ok()?;
    (number <= MOST_ROLLOVERS).then_some((number, retires))
}

/// How far a key's tag says that rollovers have come.
pub fn progress_of(tags: &BTreeMap<String, String>) -> Option<Progress> {
    progress(tags.get(ROLLOVER)?)
}

/// Until when a key whose owner tag was put back is left alone.
pub fn healing_until(tags: &BTreeMap<String, String>) -> Option<Timestamp> {
    let healed_at: Timestamp = tags.get(HEALED_AT)?.parse().ok()?;
    healed_at.checked_add(HEALING).ok()
}

/// How far status says that rollovers have come. A rollover that has ended has retired.
pub fn recorded(record: &PersistedState) -> Progress {
    let retires = record.rollover.as_ref().is_none_or(Rollover::retires);
    (record.rollovers, retires)
}

/// Whose a key is, as people name it: the owner's external id, or the tag alone where the namespace's uid is unknown.
pub fn owner_of(tags: &BTreeMap<String, String>) -> Option<String> {
    let owner = tags.get(OWNER)?;
    let namespace_uid = tags.get(NAMESPACE_UID);
    Some(namespace_uid.map_or_else(|| owner.clone(), |uid| external_id(owner, uid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(pages: Vec<(String, String)>) -> BTreeMap<String, String> {
        pages.into_iter().collect()
    }

    #[test]
    fn a_hundred_revocations_fit_into_a_key_s_tags() {
        let images: Vec<_> = (0..98).map(|byte| Pcr::from_bytes([byte; 48])).collect();
        let prefixes: Vec<_> = images.iter().map(prefix).collect();
        let pages = revoked_pages(&prefixes);
        assert!(pages.len() <= 15 && pages.iter().all(|(_, text)| text.len() <= 256));
        let tags = tagged(pages);
        assert!(images.iter().all(|image| revokes(&tags, image)));
        assert!(!revokes(&tags, &Pcr::from_bytes([200; 48])));
    }

    #[test]
    fn an_image_less_leaves_nothing_behind() {
        let images: Vec<_> = (0..8)
            .map(|byte| prefix(&Pcr::from_bytes([byte; 48])))
            .collect();
        let mut tags = tagged(revoked_pages(&images));
        tags.extend(revoked_pages(&images[..7]));
        assert!(!revokes(&tags, &Pcr::from_bytes([7; 48])));
        assert!(revokes(&tags, &Pcr::from_bytes([6; 48])));
    }

    #[test]
    fn what_was_written_before_still_counts_and_nonsense_does_not() {
        let image = Pcr::from_bytes([0xab; 48]);
        let name = format!("chamber.dev/revoked/{}", "ab".repeat(8));
        assert!(revokes(
            &[(name, image.to_string())].into_iter().collect(),
            &image
        ));
        let short = ("chamber.dev/revoked-1".to_owned(), "ab a".to_owned());
        assert!(!revokes(&[short].into_iter().collect(), &image));
    }

    #[test]
    fn a_number_that_no_cluster_reaches_was_never_written() {
        assert_eq!(progress("7/retire"), Some((7, true)));
        assert_eq!(progress("18446744073709551615/retire"), None);
        assert_eq!(progress("7/wait"), None);
    }
}
