//! An emulated enclave that seals: its document over a blob, as good or as bent as a test wants it.

use attestation::{Claims, Root};
use cluster_manifest::{Digest, Manifest};
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use sealed_blob::{InnerBlob, Origin, SealedShare};

use crate::common::{COMMITMENT, permit};

/// What the enclave is and does.
pub struct Sealer {
    pub root: TestRoot,
    /// PCR0 and PCR8: 48 equal bytes each.
    pub image: u8,
    pub signer: u8,
    /// The manifest that it says it sealed under.
    pub manifest: Option<Digest>,
    /// The one that it extended PCR16 with, where it did.
    pub extended: Option<Digest>,
    pub locks: bool,
}

impl Sealer {
    /// Image 0x11 and signer 0x88, as `common::run` names them, under its permit.
    pub fn new() -> Self {
        let permit = permit().digest().unwrap();
        Self {
            root: TestRoot::generate().unwrap(),
            image: 0x11,
            signer: 0x88,
            manifest: Some(permit),
            extended: Some(permit),
            locks: true,
        }
    }

    pub fn root(&self) -> Root {
        Root::from_pem(&self.root.certificate_pem()).unwrap()
    }

    /// A blob of this manifest's keys, sealed here.
    pub fn seal(&self, manifest: &Manifest) -> InnerBlob {
        self.seal_with(unsealed(manifest), |core| Claims::Seal { core })
    }

    /// A blob with a document of these claims.
    pub fn seal_with(
        &self,
        mut inner: InnerBlob,
        claims: impl Fn([u8; 48]) -> Claims,
    ) -> InnerBlob {
        inner.origin = Some(Origin {
            manifest: self.manifest.map(|digest| *digest.as_bytes()),
            document: vec![0],
        });
        let core = *Digest::of(&inner.core().unwrap()).as_bytes();
        let user_data = claims(core).encode().unwrap();
        inner.origin.as_mut().unwrap().document = self.attest(user_data);
        inner
    }

    pub fn attest(&self, user_data: Vec<u8>) -> Vec<u8> {
        let pcrs = [(0, [self.image; 48]), (8, [self.signer; 48])];
        let nsm = NsmEmulator::new(self.root.issue_signer().unwrap(), pcrs.into());
        if let Some(digest) = self.extended {
            nsm.extend(16, digest.as_bytes()).unwrap();
        }
        if self.locks {
            nsm.lock(16).unwrap();
        }
        let request = AttestRequest {
            user_data: Some(user_data),
            ..AttestRequest::default()
        };
        nsm.attest(&request).unwrap()
    }
}

/// A blob of version 1 that a manifest speaks of.
pub fn unsealed(manifest: &Manifest) -> InnerBlob {
    let share = |key_arn: &String| SealedShare {
        key_arn: key_arn.clone(),
        ciphertext: b"ciphertext".to_vec(),
    };
    InnerBlob {
        cluster_id: manifest.cluster_id.clone(),
        generation: manifest.generation,
        threshold: manifest.threshold,
        shares: manifest.keys.iter().map(share).collect(),
        commitment: COMMITMENT,
        origin: None,
    }
}
