//! The measurement of a release: `ImageSha384` and the further registers that identify it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Pcr;

/// The register that says which cluster manifest an enclave took: of a cluster and its generation, not of an image.
pub const MANIFEST_REGISTER: u8 = 16;

/// What an enclave of one release attests: PCR0 and, where given, further registers.
///
/// The registers but for [`MANIFEST_REGISTER`] are the identity of a release's image: an image signed anew keeps its
/// PCR0 but changes PCR8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// PCR0, which KMS calls `ImageSha384`.
    pub image_sha384: Pcr,
    /// Further registers by index (1 to 31), as far as the release names them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<u8, Pcr>,
}

impl Measurement {
    /// A measurement that names PCR0 alone.
    pub const fn image(image_sha384: Pcr) -> Self {
        Self {
            image_sha384,
            registers: BTreeMap::new(),
        }
    }

    /// Ten hex characters that stand for the image's registers in names of Secrets and `ReplicaSets`.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for (index, pcr) in self.of_image() {
            if index > 0 {
                hash.update([index]);
            }
            hash.update(pcr.as_bytes());
        }
        hex::encode(&hash.finalize()[..5])
    }

    /// The value of one register of the tuple; index 0 is `ImageSha384`.
    pub fn register(&self, index: u8) -> Option<&Pcr> {
        match index {
            0 => Some(&self.image_sha384),
            _ => self.registers.get(&index),
        }
    }

    /// Every register that is the image's own, in order, PCR0 first.
    pub fn of_image(&self) -> impl Iterator<Item = (u8, &Pcr)> {
        self.all().filter(|(index, _)| *index != MANIFEST_REGISTER)
    }

    /// Whether both are of one image, under whatever manifest.
    pub fn same_image(&self, other: &Self) -> bool {
        self.of_image().eq(other.of_image())
    }

    /// Every register of the tuple with its index, in order, PCR0 first.
    pub fn all(&self) -> impl Iterator<Item = (u8, &Pcr)> {
        std::iter::once((0, &self.image_sha384))
            .chain(self.registers.iter().map(|(index, pcr)| (*index, pcr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcr(byte: u8) -> Pcr {
        Pcr::from_bytes([byte; 48])
    }

    #[test]
    fn id_tells_tuples_apart_that_share_their_image() {
        let plain = Measurement::image(pcr(1));
        let mut signed = plain.clone();
        signed.registers.insert(8, pcr(2));
        let mut other_register = plain.clone();
        other_register.registers.insert(2, pcr(2));
        assert_eq!(plain.id().len(), 10);
        assert_ne!(plain.id(), signed.id());
        assert_ne!(signed.id(), other_register.id());
    }

    #[test]
    fn the_manifest_is_no_part_of_an_images_identity() {
        let plain = Measurement::image(pcr(1));
        let mut under = plain.clone();
        under.registers.insert(MANIFEST_REGISTER, pcr(2));
        assert_ne!(plain, under);
        assert_eq!(plain.id(), under.id());
        assert_eq!(under.of_image().count(), 1);
        assert!(plain.same_image(&under) && !plain.same_image(&Measurement::image(pcr(3))));
    }

    #[test]
    fn the_id_is_stable_because_names_are_made_of_it() {
        assert_eq!(Measurement::image(pcr(0xab)).id(), "2b5194b12b");
    }
}
