//! Blobs that several tests use.

use measurement::{Measurement, Pcr};
use sealed_blob::{InnerBlob, MasterKey, SealedShare, commitment};
use zeroize::Zeroizing;

/// The blob of the golden vector in docs/sealed-blob.md.
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
        commitment: commitment(&key(7), "demo-local-signer", 1),
    }
}

/// A master key of 32 equal bytes.
pub fn key(byte: u8) -> MasterKey {
    MasterKey::new(Zeroizing::new([byte; 32]))
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
