//! Which blobs fit a manifest: what a parent instance could put in a blob's place, each with its refusal.

use attestation::{Claims, GateClaims};
use cluster_manifest::{
    Digest, Kind, Manifest, Mismatch, Provenance, check_blob, check_sealed, wants_manifest,
};
use sealed_blob::InnerBlob;

use crate::common::{COMMITMENT, pcr, permit, run, set};
use crate::sealer::{Sealer, unsealed};

/// A blob that a sealer made is refused, under the run manifest and (where there is one) under its permit alike.
fn both(sealer: &Sealer, inner: &InnerBlob) -> Mismatch {
    let refused = check_blob(&run(), inner, &sealer.root()).unwrap_err();
    let under_permit = check_sealed(&permit(), inner, &sealer.root()).unwrap_err();
    assert_eq!(refused, under_permit);
    refused
}

#[test]
fn a_blob_that_was_sealed_under_the_permit_fits_it_and_the_run_manifest() {
    let sealer = Sealer::new();
    let inner = sealer.seal(&run());
    let fits = check_blob(&run(), &inner, &sealer.root());
    assert_eq!(fits, Ok(Provenance::Attested));
    assert_eq!(check_sealed(&permit(), &inner, &sealer.root()), Ok(()));
}

/// PCR8 changes when a certificate is renewed, PCR0 with every build: either name is enough.
#[test]
fn an_admitted_signer_or_an_admitted_image_is_enough() {
    for (signers, images) in [
        (set([0x88]), set([])),
        (set([]), set([0x11])),
        (set([1, 0x88]), set([2])),
    ] {
        let sealer = Sealer::new();
        let mut manifest = run();
        (manifest.signers, manifest.sealing_images) = (signers, images);
        let inner = sealer.seal(&manifest);
        let fits = check_blob(&manifest, &inner, &sealer.root());
        assert_eq!(fits, Ok(Provenance::Attested));
    }
}

#[test]
fn a_blob_of_format_1_fits_a_run_manifest_and_says_what_it_lacks() {
    let root = Sealer::new().root();
    let inner = unsealed(&run());
    assert_eq!(
        check_blob(&run(), &inner, &root),
        Ok(Provenance::WithoutDocument)
    );
    let refused = check_sealed(&permit(), &inner, &root);
    assert!(
        matches!(refused, Err(Mismatch::OtherPermit(why)) if why.contains("names no manifest"))
    );
}

#[test]
fn a_blob_of_an_image_without_authority_fits_a_run_manifest_and_says_what_it_lacks() {
    let mut sealer = Sealer::new();
    (sealer.manifest, sealer.extended, sealer.locks) = (None, None, false);
    let inner = sealer.seal(&run());
    let fits = check_blob(&run(), &inner, &sealer.root());
    assert_eq!(fits, Ok(Provenance::WithoutPermit));
    let refused = check_sealed(&permit(), &inner, &sealer.root());
    assert!(
        matches!(refused, Err(Mismatch::OtherPermit(why)) if why.contains("names no manifest"))
    );
}

/// What makes a manifest another one.
type Edit<'a> = &'a dyn Fn(&mut Manifest);

#[test]
fn a_blob_of_another_cluster_generation_threshold_or_other_keys_is_refused() {
    let sealer = Sealer::new();
    let previous = Some(Digest::from_bytes([1; 48]));
    let cases: [(&str, Edit<'_>); 5] = [
        ("cluster id", &|m| m.cluster_id = "another".into()),
        ("generation", &|m| {
            (m.generation, m.previous) = (2, previous);
        }),
        ("threshold", &|m| m.threshold = 1),
        ("keys", &|m| m.keys[1].push('x')),
        ("keys", &|m| m.keys.reverse()),
    ];
    for (field, edit) in cases {
        let mut other = run();
        edit(&mut other);
        let refused = both(&sealer, &sealer.seal(&other));
        assert!(matches!(refused, Mismatch::Field { field: found, .. } if found == field));
    }
}

#[test]
fn another_master_key_is_refused_by_its_commitment() {
    let sealer = Sealer::new();
    let mut inner = unsealed(&run());
    inner.commitment = [1; 32];
    let inner = sealer.seal_with(inner, |core| Claims::Seal { core });
    let refused = check_blob(&run(), &inner, &sealer.root());
    assert_eq!(
        refused,
        Err(Mismatch::Field {
            field: "commitment",
            blob: hex::encode([1; 32]),
            manifest: hex::encode(COMMITMENT),
        })
    );
    // A permit names none: whoever seals under it makes the key.
    assert_eq!(check_sealed(&permit(), &inner, &sealer.root()), Ok(()));
}

#[test]
fn nobody_unseals_under_a_permit_and_nobody_seals_under_a_run_manifest() {
    let sealer = Sealer::new();
    let inner = sealer.seal(&run());
    let refused = check_blob(&permit(), &inner, &sealer.root()).unwrap_err();
    let commitment = hex::encode(COMMITMENT);
    assert!(matches!(&refused, Mismatch::PermitOnly { commitment: found } if *found == commitment));
    assert!(wants_manifest(&refused.to_string()), "{refused}");
    let other = Mismatch::OtherPermit(cluster_manifest::NOT_GIVEN.into());
    assert!(!wants_manifest(&other.to_string()), "{other}");
    let refused = check_sealed(&run(), &inner, &sealer.root());
    assert!(matches!(refused, Err(Mismatch::OtherPermit(why)) if why.contains("run manifest")));
}

/// Everything equal but who may seal: a seal under the old permit is not one under the new.
#[test]
fn a_seal_under_another_permit_is_none_under_this() {
    let sealer = Sealer::new();
    let inner = sealer.seal(&run());
    let mut other = permit();
    other.signers.insert(pcr(0x99));
    let refused = check_sealed(&other, &inner, &sealer.root()).unwrap_err();
    let named = permit().digest().unwrap().to_string();
    assert!(matches!(refused, Mismatch::OtherPermit(why) if why.contains(&named)));
    // The run manifest may name other sealers than its permit did: it admits the blob by its commitment.
    let other = Manifest {
        kind: Kind::Run {
            commitment: COMMITMENT,
        },
        ..other
    };
    assert_eq!(
        check_blob(&other, &inner, &sealer.root()),
        Ok(Provenance::Attested)
    );
}

/// What else an admitted image attests: its workload's bytes, its gate, another blob.
#[test]
fn a_document_that_speaks_of_something_else_is_no_sealing_document() {
    let sealer = Sealer::new();
    let gate = |core| {
        Claims::Gate(GateClaims {
            cluster_id: run().cluster_id,
            blob: core,
            commitment: COMMITMENT,
            manifest: None,
            unsealed: true,
            opened: [1, 2].into(),
        })
    };
    let others: [&dyn Fn([u8; 48]) -> Claims; 4] = [
        &gate,
        &|core| Claims::Rewrap { core },
        &|subject| Claims::Probe { subject },
        &|_| Claims::Seal { core: [1; 48] },
    ];
    for claims in others {
        let inner = sealer.seal_with(unsealed(&run()), claims);
        assert!(matches!(both(&sealer, &inner), Mismatch::Claims(_)));
    }
    let mut inner = sealer.seal(&run());
    inner.origin.as_mut().unwrap().document = sealer.attest(b"the workload's".to_vec());
    assert!(
        matches!(both(&sealer, &inner), Mismatch::Claims(why) if why.contains("no claims of ours"))
    );
}

#[test]
fn shares_that_were_exchanged_after_the_seal_are_refused() {
    let sealer = Sealer::new();
    let mut inner = sealer.seal(&run());
    inner.shares[1].ciphertext = b"of another master key".to_vec();
    assert!(matches!(both(&sealer, &inner), Mismatch::Claims(_)));
}

/// From generation 2 on a document of the first seal is none, and a rewrap is one.
#[test]
fn a_later_generation_is_rewrapped_and_not_sealed() {
    let sealer = Sealer::new();
    let mut second = run();
    (second.generation, second.previous) = (2, Some(run().digest().unwrap()));
    let first = sealer.seal(&second);
    let refused = check_blob(&second, &first, &sealer.root());
    assert!(matches!(refused, Err(Mismatch::Claims(_))));
    let rewrapped = sealer.seal_with(unsealed(&second), |core| Claims::Rewrap { core });
    let fits = check_blob(&second, &rewrapped, &sealer.root());
    assert_eq!(fits, Ok(Provenance::Attested));
}

#[test]
fn a_seal_in_debug_mode_is_refused() {
    let mut sealer = Sealer::new();
    (sealer.image, sealer.signer) = (0, 0);
    let inner = sealer.seal(&run());
    assert_eq!(both(&sealer, &inner), Mismatch::Debug);
}

#[test]
fn an_image_that_the_manifest_does_not_name_is_refused() {
    let mut sealer = Sealer::new();
    (sealer.image, sealer.signer) = (0x88, 0x11);
    let inner = sealer.seal(&run());
    assert_eq!(
        both(&sealer, &inner),
        Mismatch::Sealer {
            image: pcr(0x88),
            signer: pcr(0x11).to_string(),
        },
        "a signer's value is none of an image"
    );
    sealer.signer = 0;
    let inner = sealer.seal(&run());
    let refused = both(&sealer, &inner);
    assert!(matches!(refused, Mismatch::Sealer { signer, .. } if signer == "none"));
}

/// A workload could extend PCR16 by itself, were it ever given the module: only a locked one counts.
#[test]
fn the_permit_is_in_the_locked_register() {
    let mut sealer = Sealer::new();
    let expected = permit().digest().unwrap().register();
    sealer.locks = false;
    let inner = sealer.seal(&run());
    let found = "nothing (not locked)".to_owned();
    assert_eq!(
        both(&sealer, &inner),
        Mismatch::Register { found, expected }
    );
    for extended in [None, Some(run().digest().unwrap())] {
        sealer.locks = true;
        sealer.extended = extended;
        let inner = sealer.seal(&run());
        let found = extended
            .map_or(pcr(0), |digest| digest.register())
            .to_string();
        assert_eq!(
            both(&sealer, &inner),
            Mismatch::Register { found, expected }
        );
    }
}

#[test]
fn a_document_of_another_root_is_refused() {
    let (sealer, other) = (Sealer::new(), Sealer::new());
    let inner = other.seal(&run());
    assert!(matches!(both(&sealer, &inner), Mismatch::Document(_)));
    let mut inner = sealer.seal(&run());
    inner.origin.as_mut().unwrap().document.pop();
    assert!(matches!(both(&sealer, &inner), Mismatch::Document(_)));
}

/// A blob that nobody could have read: the check says so and does not panic.
#[test]
fn a_blob_that_does_not_encode_is_refused() {
    let sealer = Sealer::new();
    let mut inner = sealer.seal(&run());
    inner.shares[0].ciphertext.clear();
    assert!(matches!(both(&sealer, &inner), Mismatch::Format(_)));
}
