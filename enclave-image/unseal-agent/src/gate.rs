//! The answer to whoever asks for proof of this chamber's state: a document with their nonce.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attestation::{Claims, GateClaims};
use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::ToHost;
use cluster_manifest::Digest;
use sealed_blob::InnerBlob;
use tokio::task::spawn_blocking;

use crate::{DocumentContent, Nsm};

/// Shorter ones can be guessed, longer ones have no use.
const NONCE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// What a document of this chamber would say now.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    manifest: Option<Digest>,
    blob: Option<Blob>,
    unsealed: bool,
    opened: BTreeSet<u8>,
}

struct Blob {
    cluster_id: String,
    digest: [u8; 48],
    commitment: [u8; 32],
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the next can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The manifest that this enclave took.
    pub fn under(&self, manifest: Option<Digest>) {
        self.lock().manifest = manifest;
    }

    /// An attempt begins with this blob, as the host gave it.
    pub fn attempt(&self, bytes: &[u8], inner: &InnerBlob) {
        let mut of_blob = [0; 48];
        of_blob.copy_from_slice(digest(&SHA384, bytes).as_ref());
        let mut state = self.lock();
        state.blob = Some(Blob {
            cluster_id: inner.cluster_id.clone(),
            digest: of_blob,
            commitment: inner.commitment,
        });
        state.unsealed = false;
        state.opened.clear();
    }

    /// KMS opened this share in the attempt that runs.
    pub fn opened(&self, index: u8) {
        self.lock().opened.insert(index);
    }

    /// These shares came from KMS, and do not belong to the master key.
    pub fn spoiled(&self, indices: &[u8]) {
        let mut state = self.lock();
        state.opened.retain(|index| !indices.contains(index));
    }

    /// The workload has the master key, or has it no more.
    pub fn unsealed(&self, unsealed: bool) {
        self.lock().unsealed = unsealed;
    }

    /// The answer to a question with this nonce.
    pub async fn answer<N: Nsm>(&self, nsm: Arc<N>, nonce: String) -> ToHost {
        match self.document(nsm, &nonce).await {
            Ok(document) => ToHost::Attestation {
                nonce,
                document: BASE64.encode(document),
            },
            Err(message) => ToHost::NoAttestation { nonce, message },
        }
    }

    async fn document<N: Nsm>(&self, nsm: Arc<N>, nonce: &str) -> Result<Vec<u8>, String> {
        let bytes = hex::decode(nonce).map_err(|error| format!("the nonce is no hex: {error}"))?;
        if !NONCE_BYTES.contains(&bytes.len()) {
            return Err(format!(
                "the nonce has {} bytes; allowed: 16 to 64",
                bytes.len()
            ));
        }
        let claims = self.claims()?;
        let content = DocumentContent {
            user_data: Some(claims),
            nonce: Some(bytes),
            public_key: None,
        };
        let made = spawn_blocking(move || nsm.attestation_document(content)).await;
        made.map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }

    fn claims(&self) -> Result<Vec<u8>, String> {
        let state = self.lock();
        let Some(blob) = &state.blob else {
            return Err("no sealed blob was opened yet".to_owned());
        };
        let claims = Claims::Gate(GateClaims {
            cluster_id: blob.cluster_id.clone(),
            blob: blob.digest,
            // What the blob only promises is no fact before the master key was there.
            commitment: if state.unsealed {
                blob.commitment
            } else {
                [0; 32]
            },
            manifest: state.manifest.map(|digest| *digest.as_bytes()),
            unsealed: state.unsealed,
            opened: state.opened.clone(),
        });
        claims.encode().map_err(|error| error.to_string())
    }
}
