//! Every parser of hostile input, as a function that must survive anything.
//!
//! The same functions are run by libFuzzer (`make fuzz`, nightly) and, on every run of the tests, over a corpus and
//! some thousand mutations of it.
#![expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is what a fuzz target reports"
)]

mod policy;

use std::sync::OnceLock;

use attestation::{At, Claims, Root, verify};
use base64::Engine;
use cluster_manifest::{Manifest, SignedManifest};
use measurement::{Pcr, eif};
use unseal_agent::RecipientKey;

pub use policy::policy;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("policy", policy),
    ("image", image),
    ("blob", blob),
    ("message", message),
    ("envelope", envelope),
    ("attestation", attestation),
    ("manifest", manifest),
];

/// An enclave image file: described or refused.
pub fn image(data: &[u8]) {
    if let Ok(description) = eif::read(data) {
        drop(description.to_json());
        drop(description.measurement());
    }
}

/// A sealed blob, both layers; the inner one is written as it was read.
pub fn blob(data: &[u8]) {
    drop(sealed_blob::open(data, |_| Some(Pcr::from_bytes([1; 48]))));
    if let Ok(inner) = sealed_blob::InnerBlob::decode(data) {
        match inner.encode() {
            Ok(bytes) if bytes == data => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A cluster manifest: its body, and its envelope as bytes and as text; each is written as it was read.
pub fn manifest(data: &[u8]) {
    if let Ok(body) = Manifest::decode(data) {
        match body.encode() {
            Ok(bytes) if bytes == data => {}
            other => panic!("{other:?}"),
        }
    }
    let text = base64::engine::general_purpose::STANDARD.encode(data);
    if let Ok(signed) = SignedManifest::from_text(&text) {
        assert_eq!(signed.to_text(), Ok(text), "written as it was read");
    }
    drop(std::str::from_utf8(data).map(SignedManifest::from_text));
}

/// What the parent instance sends to the agent: frames until the stream ends, or a refusal.
pub fn message(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else { return };
    let (ours, mut theirs) = tokio::io::duplex(data.len().max(1));
    let data = data.to_vec();
    runtime.block_on(async move {
        let mut link = chamber_link::connect::<chamber_link::ToAgent, chamber_link::ToHost>(ours);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &data)
            .await
            .ok();
        drop(theirs);
        while link.receiver.receive().await.is_ok() {}
    });
}

/// KMS's answer for the enclave, a CMS envelope in BER: opened or refused.
pub fn envelope(data: &[u8]) {
    static KEY: OnceLock<Option<RecipientKey>> = OnceLock::new();
    // One key for all: making it takes longer than everything else.
    if let Some(key) = KEY.get_or_init(|| RecipientKey::generate().ok()) {
        drop(unseal_agent::open_envelope(data, key));
    }
}

/// An attestation document under AWS's root, and the claims of its `user_data`: believed or refused; claims are written
/// as they were read.
pub fn attestation(data: &[u8]) {
    let verified = verify(data, &Root::aws(), At::Document);
    let user_data = verified.as_ref().ok().and_then(|v| v.user_data.as_deref());
    let user_data = user_data.unwrap_or(data);
    if let Ok(claims) = Claims::decode(user_data) {
        match claims.encode() {
            Ok(bytes) if bytes == user_data => {}
            other => panic!("{other:?}"),
        }
    }
    if let Ok(verified) = verified {
        assert!(verified.timestamp_ms > 0 && !verified.pcrs.is_empty());
        let _ = (verified.debug(), verified.instance().map(str::len));
        assert!(verified.check_fresh(verified.timestamp_ms, 0).is_ok());
    }
}
