//! Documents that real Nitro hypervisors signed, under AWS's root: see `documents/README.md`.
#![expect(clippy::unwrap_used, reason = "a test")]

use attestation::{At, MAX_BYTES, Rejected, Root, verify};
use measurement::Pcr;
use nsm_emulator::TestRoot;

/// What the README says of one.
struct Known {
    bytes: &'static [u8],
    timestamp_ms: i64,
    module_id: &'static str,
    /// How PCR0 begins.
    image: &'static str,
    registers: &'static [u8],
    /// Lengths.
    public_key: Option<usize>,
    user_data: Option<usize>,
    nonce: Option<usize>,
}

const DEBUG: Known = Known {
    bytes: include_bytes!("documents/debug-2022-10.cbor"),
    timestamp_ms: 1_665_582_606_081,
    module_id: "i-03ad7cdb817437eeb-enc0183cc7569b3f6e1",
    image: "0000000000000000",
    registers: &[3, 4],
    public_key: Some(19),
    user_data: Some(13),
    nonce: None,
};

const DOCUMENTS: [Known; 6] = [
    DEBUG,
    Known {
        bytes: include_bytes!("documents/public-key-800-2022-07.cbor"),
        timestamp_ms: 1_657_117_102_484,
        module_id: "i-07e25f3bada361dec-enc0181d3dff86da785",
        image: "f8bb0133c427bc49",
        registers: &[0, 1, 2, 4],
        public_key: Some(800),
        user_data: Some(32),
        nonce: None,
    },
    Known {
        bytes: include_bytes!("documents/short-public-key-2024-02.cbor"),
        timestamp_ms: 1_708_930_921_439,
        module_id: "i-0df237f0418feb41e-enc018d1c7ef94eb110",
        image: "17bf8f048519797b",
        registers: &[0, 1, 2, 4],
        public_key: Some(32),
        user_data: Some(42),
        nonce: None,
    },
    Known {
        bytes: include_bytes!("documents/short-public-key-2024-04.cbor"),
        timestamp_ms: 1_712_149_702_338,
        module_id: "i-058bac400e426cc24-enc018e0924a1c4673e",
        image: "ea6ff0cc81650a6a",
        registers: &[0, 1, 2, 4],
        public_key: Some(32),
        user_data: Some(42),
        nonce: None,
    },
    Known {
        bytes: include_bytes!("documents/signed-image-2022-10.cbor"),
        timestamp_ms: 1_665_651_482_136,
        module_id: "i-020b6af9246d90e92-enc0183d09086c24190",
        image: "f4d48b81a460c991",
        registers: &[0, 1, 2, 3, 4, 8],
        public_key: None,
        user_data: None,
        nonce: Some(256),
    },
    Known {
        bytes: include_bytes!("documents/signed-image-nonce-2023-01.cbor"),
        timestamp_ms: 1_674_047_239_280,
        module_id: "i-0ec0e572c8263d8ff-enc0185c4fd382eeb25",
        image: "d265a83faa7b4fa0",
        registers: &[0, 1, 2, 3, 4, 8],
        public_key: None,
        user_data: Some(120),
        nonce: Some(256),
    },
];

/// 2026-11-26.
const LATER: At = At::Time(1_795_651_200_000);

#[test]
fn the_built_in_root_is_the_one_that_aws_publishes() {
    assert_eq!(
        hex::encode(Root::aws().fingerprint()),
        "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
    );
}

#[test]
fn each_is_believed_at_its_own_time_and_says_what_is_known_of_it() {
    for known in DOCUMENTS {
        let verified = verify(known.bytes, &Root::aws(), At::Document).unwrap();
        let at = At::Time(known.timestamp_ms);
        assert_eq!(verify(known.bytes, &Root::aws(), at), Ok(verified.clone()));
        assert_eq!(verified.timestamp_ms, known.timestamp_ms);
        assert_eq!(verified.module_id, known.module_id);
        let instance = known.module_id.split("-enc").next();
        assert_eq!(verified.instance(), instance);
        assert!(verified.pcrs[&0].to_string().starts_with(known.image));
        assert!(verified.pcrs.keys().copied().eq(0..16));
        let set = verified.pcrs.iter().filter(|(_, pcr)| !pcr.is_zero());
        let set: Vec<u8> = set.map(|(index, _): (&u8, &Pcr)| *index).collect();
        assert_eq!(set, known.registers);
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
        assert_eq!(length(&verified.public_key), known.public_key);
        assert_eq!(length(&verified.user_data), known.user_data);
        assert_eq!(length(&verified.nonce), known.nonce);
        assert_eq!(verified.debug(), known.bytes == DEBUG.bytes);
        assert_eq!(verified.check_fresh(known.timestamp_ms + 1000, 1), Ok(()));
    }
}

#[test]
fn none_is_believed_today_nor_before_it_was_made() {
    for known in DOCUMENTS {
        let day = 24 * 3_600_000;
        let before = At::Time(known.timestamp_ms - day);
        let after = At::Time(known.timestamp_ms + day);
        for at in [LATER, before, after, At::Time(0)] {
            let rejected = verify(known.bytes, &Root::aws(), at).unwrap_err();
            assert!(matches!(rejected, Rejected::Validity { .. }), "{rejected}");
        }
    }
    let today = verify(DEBUG.bytes, &Root::aws(), LATER).unwrap_err();
    assert_eq!(
        today.to_string(),
        "the attestation document's certificate chain is invalid: a certificate is not valid at 2026-11-26T00:00:00Z: it is valid from 2022-10-08T12:32:56Z to 2022-10-28T13:32:56Z"
    );
}

#[test]
fn none_is_believed_under_another_root() {
    let other = TestRoot::generate().unwrap().certificate_pem();
    let other = Root::from_pem(&other).unwrap();
    for known in DOCUMENTS {
        let rejected = verify(known.bytes, &other, At::Document).unwrap_err();
        assert_eq!(
            rejected,
            Rejected::Chain("its root is not the one trusted here")
        );
    }
}

/// Payload, signature, and what is around them: every byte of the document with the most members, and every 13th of the
/// others, with one of its bits in turn.
#[test]
fn none_is_believed_with_a_changed_bit() {
    for known in DOCUMENTS {
        let whole = known.user_data.is_some() && known.nonce.is_some();
        for index in (0..known.bytes.len()).step_by(if whole { 1 } else { 13 }) {
            let mut changed = known.bytes.to_vec();
            changed[index] ^= 1 << (index % 8);
            let at = if index % 2 == 0 {
                At::Document
            } else {
                At::Time(known.timestamp_ms)
            };
            let judged = verify(&changed, &Root::aws(), at);
            assert!(judged.is_err(), "byte {index}: {judged:?}");
        }
    }
}

#[test]
fn none_is_believed_cut_short_or_with_more_behind_it() {
    for known in DOCUMENTS {
        let at = At::Time(known.timestamp_ms);
        for length in 0..known.bytes.len() {
            let cut = &known.bytes[..length];
            let rejected = verify(cut, &Root::aws(), at).unwrap_err();
            assert_eq!(rejected, Rejected::Malformed("not a COSE_Sign1"));
        }
        for more in [1, MAX_BYTES] {
            let longer = [known.bytes, &vec![0; more]].concat();
            assert!(verify(&longer, &Root::aws(), at).is_err());
        }
    }
}
