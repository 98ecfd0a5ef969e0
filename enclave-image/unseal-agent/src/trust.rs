//! What this image believes, and the manifest that it took at its start.

use attestation::Root;
use cluster_manifest::{
    Authority, Digest, MANIFEST_REGISTER, Manifest, ManifestError, NOT_GIVEN, SignedManifest,
    check_blob, check_sealed,
};
use sealed_blob::InnerBlob;

use crate::{Nsm, NsmError};

/// What the image believes: measured with it, so that no host can choose it.
pub struct Trust {
    /// Root of the security modules: AWS's in production.
    pub root: Root,
    /// Authorities whose manifests count; an empty list is an image without this protection.
    pub authorities: Vec<Authority>,
}

/// Why no task is done. Every one is final for this enclave: another manifest needs another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// An authority is measured, and the host gave no manifest.
    #[error("{NOT_GIVEN}: set spec.manifest (kubectl chamber manifest render says what to sign)")]
    NoManifest,
    /// What the image holds cannot be used; the text names the file and the cure.
    #[error("this image was built with a fault: {0}")]
    Image(String),
    /// Not a manifest, or not signed by an authority of this image.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// PCR16 is not as an enclave begins with it.
    #[error("PCR16 is {0} before the manifest was taken, expected zeros: start the enclave anew")]
    Register(measurement::Pcr),
    /// The security module failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
}

/// What an enclave may do: decided once, before its task.
pub enum Authorization {
    /// The image measures no authority: the host is believed.
    Unprotected,
    /// Only what this manifest says; its digest is in the locked PCR16.
    Under {
        /// What an authority of this image signed.
        manifest: Box<Manifest>,
        /// Its digest.
        digest: Digest,
        /// Root of the security modules.
        root: Root,
    },
}

impl Trust {
    /// Verifies the manifest that the host gave, extends PCR16 with its digest and locks it.
    pub fn accept<N: Nsm>(self, nsm: &N, given: Option<&str>) -> Result<Authorization, TrustError> {
        if self.authorities.is_empty() {
            return Ok(Authorization::Unprotected);
        }
        let signed = SignedManifest::from_text(given.ok_or(TrustError::NoManifest)?)?;
        let manifest = signed.verify(&self.authorities)?.clone();
        let digest = signed.digest();
        let before = nsm.pcr(MANIFEST_REGISTER)?;
        if !before.is_zero() {
            return Err(TrustError::Register(before));
        }
        nsm.extend(MANIFEST_REGISTER, digest.as_bytes())?;
        nsm.lock(MANIFEST_REGISTER)?;
        Ok(Authorization::Under {
            manifest: Box::new(manifest),
            digest,
            root: self.root,
        })
    }
}

impl Authorization {
    /// Digest of the manifest, where there is one.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Unprotected => None,
            Self::Under { digest, .. } => Some(*digest),
        }
    }

    /// Whether this blob may be unsealed; the error says why not.
    pub fn may_unseal(&self, inner: &InnerBlob) -> Result<(), String> {
        let Self::Under { manifest, root, .. } = self else {
            return Ok(());
        };
        let checked = check_blob(manifest, inner, root);
        checked.map(|_| ()).map_err(|mismatch| mismatch.to_string())
    }

    /// Whether this blob, just sealed here, is what the permit allows; the error says why not.
    pub fn may_have_sealed(&self, inner: &InnerBlob) -> Result<(), String> {
        let Self::Under { manifest, root, .. } = self else {
            return Ok(());
        };
        check_sealed(manifest, inner, root).map_err(|mismatch| mismatch.to_string())
    }

    /// Whether this request is exactly what the manifest permits; the error names the field.
    pub fn may_seal(
        &self,
        request: &chamber_link::SealRequest,
    ) -> Result<(), (&'static str, String)> {
        let Self::Under { manifest, .. } = self else {
            return Ok(());
        };
        let differs = |field, found: String, allowed: String| {
            Err((
                field,
                format!("{found}; the cluster manifest allows: {allowed}"),
            ))
        };
        if manifest.kind != cluster_manifest::Kind::SealPermit {
            let found = "a seal is asked for".to_owned();
            let allowed = "to unseal only: it is a run manifest, and nobody seals twice".to_owned();
            return differs("manifest", found, allowed);
        }
        if request.cluster_id != manifest.cluster_id {
            let found = request.cluster_id.clone();
            return differs("clusterId", found, manifest.cluster_id.clone());
        }
        if request.generation != manifest.generation {
            let found = request.generation.to_string();
            return differs("generation", found, manifest.generation.to_string());
        }
        if request.threshold != manifest.threshold {
            let found = request.threshold.to_string();
            return differs("threshold", found, manifest.threshold.to_string());
        }
        if request.keys != manifest.keys {
            let found = format!("{:?}", request.keys);
            return differs("keys", found, format!("{:?}", manifest.keys));
        }
        Ok(())
    }
}
