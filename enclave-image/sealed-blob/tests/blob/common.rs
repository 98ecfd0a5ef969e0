//! Blobs that several tests use.

use measurement::{Measurement, Pcr};
use sealed_blob::{InnerBlob, MasterKey, Origin, SealedShare, commitment, commitment_of_format_1};

/// The blob of version 1 in docs/sealed-blob.md.
pub fn inner() -> InnerBlob {
    InnerBlob {
        cluster_id: "demo-local-signer".into(),
        generation: 1,
        threshold: 2,
        shares: vec![
            SealedShare {
                key_arn: "arn:aws:kms:us-east-1:111122223333:key/a".into(),
                ciphertext: b"first ciphertext".to_vec(),
            },
            SealedShare {
                key_arn: "arn:aws:kms:us-east-1:111122223333:key/b".into(),
                ciphertext: b"second ciphertext".to_vec(),
            },
        ],
        commitment: commitment_of_format_1(&key(7), "demo-local-signer", 1),
        origin: None,
    }
}

/// The blob of version 2 in docs/sealed-blob.md: its document is no document, and its manifest is nobody's.
pub fn inner_2() -> InnerBlob {
    InnerBlob {
        commitment: commitment(&key(7), "demo-local-signer"),
        origin: Some(Origin {
            manifest: Some([0x4d; 48]),
            document: b"attestation document".to_vec(),
        }),
        ..inner()
    }
}

/// A master key of 32 equal bytes.
pub fn key(byte: u8) -> MasterKey {
    MasterKey::fill(|out| {
        out.fill(byte);
        Ok::<_, std::convert::Infallible>(())
    })
    .unwrap()
}

/// A register of 48 equal bytes.
pub fn pcr(byte: u8) -> Pcr {
    Pcr::from_bytes([byte; 48])
}

/// PCR0 is all 0x11, PCR8 all 0x88.
pub fn measurement() -> Measurement {
    Measurement {
        image_sha384: pcr(0x11),
        registers: [(8, pcr(0x88))].into(),
    }
}
