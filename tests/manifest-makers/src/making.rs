//! What a host makes by itself, row by row, with what it is told of it.

use std::convert::Infallible;

use attestation::Claims;
use aws_lc_rs::digest::{SHA384, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_link::SealRequest;
use cluster_manifest::Manifest;
use measurement::Pcr;
use sealed_blob::{
    InnerBlob, MasterKey, Origin, SealedShare, commitment, commitment_of_format_1, split,
};
use unseal_agent::{DocumentContent, Nsm};

use crate::{CLUSTER, Module, Office, key, permit, request};

/// Requests for a seal that the permit does not allow, each with the field that is named.
pub fn other_requests() -> Vec<(SealRequest, &'static str)> {
    let ask = |bend: fn(&mut SealRequest)| {
        let mut ask = request();
        bend(&mut ask);
        ask
    };
    let theirs = |ask: &mut SealRequest| {
        ask.keys[1] = "arn:aws:kms:us-east-1:999999999999:key/theirs".into();
    };
    vec![
        (ask(theirs), "keys"),
        (ask(|ask| ask.keys.swap(0, 1)), "keys"),
        (ask(|ask| ask.keys.truncate(2)), "keys"),
        (ask(|ask| ask.threshold = 1), "threshold"),
        (ask(|ask| ask.generation = 2), "generation"),
        (ask(|ask| ask.cluster_id = "another".into()), "clusterId"),
    ]
}

/// What a host gives in place of this manifest.
pub fn forged_manifests(
    office: &Office,
    manifest: &Manifest,
) -> Vec<(Option<String>, &'static str)> {
    let good = office.sign(manifest);
    let mut flipped = BASE64.decode(&good).unwrap();
    flipped[40] ^= 1;
    let nobodys = "no signature of an authority";
    vec![
        (Some(Office::open().sign(manifest)), nobodys),
        (Some(BASE64.encode(flipped)), nobodys),
        (Some(good[..good.len() / 2].to_owned()), "cluster manifest"),
        (Some("%%%".into()), "not base64"),
        (None, "no cluster manifest was given"),
    ]
}

/// What a parent can make by itself: a key that it knows, wrapped under the cluster's own keys.
///
/// `encrypt` wraps a share's bytes under the key of this id, as anybody with the chamber's credentials can.
pub async fn own_making(
    encrypt: impl AsyncFn(&str, &[u8], u8) -> Vec<u8>,
) -> (MasterKey, InnerBlob) {
    let own = || {
        MasterKey::fill(|out| {
            out.fill(9);
            Ok::<_, Infallible>(())
        })
        .unwrap()
    };
    let fill =
        |out: &mut [u8]| aws_lc_rs::rand::fill(out).map_err(|_| sealed_blob::ShamirError::Random);
    let mut shares = Vec::new();
    let parts = split(&own(), 2, 3, fill).unwrap();
    for (share, id) in parts.iter().zip(["a", "b", "c"]) {
        shares.push(SealedShare {
            key_arn: key(id),
            ciphertext: encrypt(id, share.expose(), share.index()).await,
        });
    }
    let inner = InnerBlob {
        cluster_id: CLUSTER.into(),
        generation: 1,
        threshold: 2,
        shares,
        commitment: commitment_of_format_1(&own(), CLUSTER, 1),
        origin: None,
    };
    (own(), inner)
}

/// Blobs with a key of the host's own making, in place of this one that was sealed.
pub fn own_blobs(
    sealed: &InnerBlob,
    (own, format_1): (&MasterKey, InnerBlob),
) -> Vec<(InnerBlob, &'static str)> {
    let format_2 = InnerBlob {
        commitment: commitment(own, CLUSTER),
        origin: sealed.origin.clone(),
        ..format_1.clone()
    };
    let borrowed = InnerBlob {
        commitment: sealed.commitment,
        ..format_2.clone()
    };
    let bare = InnerBlob {
        origin: None,
        ..borrowed.clone()
    };
    vec![
        // Its own commitment, in both formats.
        (format_1, "commitment"),
        (format_2, "commitment"),
        // The commitment of the manifest, with shares of its own: the sealing document does not speak of them.
        (borrowed, "another blob"),
        // Without a document: then the shares have to give the committed key, and do not.
        (bare, "do not give the committed"),
    ]
}

/// What this blob would be for another manifest than its own.
pub fn other_blobs(inner: &InnerBlob) -> Vec<(InnerBlob, &'static str)> {
    let bent = |bend: fn(&mut InnerBlob)| {
        let mut other = inner.clone();
        bend(&mut other);
        other
    };
    let theirs = |other: &mut InnerBlob| {
        other.shares[1].key_arn = "arn:aws:kms:us-east-1:999999999999:key/theirs".into();
    };
    vec![
        (
            bent(|other| other.cluster_id = "another".into()),
            "cluster id is another",
        ),
        (bent(theirs), "keys is"),
        (bent(|other| other.threshold = 1), "threshold is 1"),
        (bent(|other| other.generation = 2), "generation is 2"),
    ]
}

/// What a sealing document speaks of.
pub fn core_of(inner: &InnerBlob) -> [u8; 48] {
    let core = digest(&SHA384, &inner.core().unwrap());
    core.as_ref().try_into().unwrap()
}

/// The blob with documents in place of its sealing document that somebody else had signed.
///
/// `module` is an enclave's security module with these registers, `elsewhere` one under another root with the registers of
/// the cluster's image, which are `image` and `signer`.
pub fn foreign_documents(
    inner: &InnerBlob,
    (image, signer): (Pcr, Pcr),
    module: impl Fn(&[(u8, Pcr)]) -> Module,
    elsewhere: &Module,
) -> Vec<(InnerBlob, &'static str)> {
    let locked = |registers: &[(u8, Pcr)]| module(registers).under(&permit(signer));
    let other = |byte| Pcr::from_bytes([byte; 48]);
    let named = [(0, image), (8, signer)];
    let unlocked = module(&named);
    unlocked.extend(16, &[1]).unwrap();
    let core = core_of(inner);
    let seal = Claims::Seal { core }.encode().ok();
    let rewrap = Claims::Rewrap { core }.encode().ok();
    let other_blob = Claims::Seal { core: [1; 48] }.encode().ok();
    let make = |nsm: &Module, user_data: &Option<Vec<u8>>| {
        let content = DocumentContent {
            user_data: user_data.clone(),
            ..DocumentContent::default()
        };
        let document = nsm.attestation_document(content).unwrap();
        let manifest = inner.origin.as_ref().unwrap().manifest;
        InnerBlob {
            origin: Some(Origin { manifest, document }),
            ..inner.clone()
        }
    };
    let admitted = locked(&[(0, image), (8, other(0x52))]);
    let anything = Some(b"anything".to_vec());
    vec![
        // An image that KMS admits, and that the authority never named.
        (make(&admitted, &seal), "names neither"),
        (make(&locked(&[(0, other(0xb2))]), &seal), "names neither"),
        (make(&locked(&[(8, signer)]), &seal), "debug mode"),
        // What a workload, or another task, could have had signed.
        (make(&locked(&named), &None), "no claims of ours"),
        (make(&locked(&named), &anything), "no claims of ours"),
        (make(&locked(&named), &rewrap), "another purpose"),
        (
            make(&locked(&named), &other_blob),
            "another purpose or another blob",
        ),
        // A register that anybody could still have extended, or that held another manifest.
        (make(&unlocked, &seal), "nothing (not locked)"),
        (make(elsewhere, &seal), "root"),
    ]
}
