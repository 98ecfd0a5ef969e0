//! Claims: one value, one encoding; bytes as `docs/attestation.md` has them.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use attestation::{Claims, ClaimsError, GateClaims};
use proptest::prelude::*;
use wire_format::FormatError;

/// "chamber.dev/attestation", a zero byte, version 1.
const PREFIX: &str = "6368616d6265722e6465762f6174746573746174696f6e0001";

fn gate() -> GateClaims {
    GateClaims {
        cluster_id: "prod-1".into(),
        blob: [0xb1; 48],
        commitment: [0xc0; 32],
        manifest: Some([0xd1; 48]),
        unsealed: true,
        opened: BTreeSet::from([1, 3, 16]),
    }
}

#[test]
fn the_bytes_are_those_of_the_page() {
    let of = |byte: &str| byte.repeat(48);
    let gate_hex = [
        "03",
        "06",
        "70726f642d31",
        &of("b1"),
        &"c0".repeat(32),
        &of("d1"),
        "01",
        "8005",
    ];
    let sealed = GateClaims {
        commitment: [0; 32],
        manifest: None,
        unsealed: false,
        opened: BTreeSet::new(),
        ..gate()
    };
    let sealed_hex = [
        "03",
        "06",
        "70726f642d31",
        &of("b1"),
        &"00".repeat(32 + 48),
        "00",
        "0000",
    ];
    let cases = [
        (Claims::Seal { core: [7; 48] }, format!("01{}", of("07"))),
        (Claims::Rewrap { core: [7; 48] }, format!("02{}", of("07"))),
        (Claims::Gate(gate()), gate_hex.concat()),
        (Claims::Gate(sealed), sealed_hex.concat()),
        (
            Claims::Probe { subject: [7; 48] },
            format!("04{}", of("07")),
        ),
    ];
    for (claims, hex) in cases {
        let bytes = claims.encode().unwrap();
        assert_eq!(hex::encode(&bytes), format!("{PREFIX}{hex}"));
        assert_eq!(Claims::decode(&bytes), Ok(claims));
    }
}

#[test]
fn the_example_of_the_page_is_what_is_written() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/attestation.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, example) = page.split_once("<!-- gate -->\n```\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let example: String = example.split_whitespace().collect();
    let bytes = Claims::Gate(gate()).encode().unwrap();
    assert_eq!(hex::encode(bytes), example);
}

#[test]
fn the_longest_claims_fit_user_data() {
    let longest = GateClaims {
        cluster_id: "a".repeat(45),
        opened: (1..=16).collect(),
        ..gate()
    };
    let bytes = Claims::Gate(longest).encode().unwrap();
    assert_eq!(bytes.len(), 203);
}

#[test]
fn what_no_encoding_stands_for_is_refused_in_both_directions() {
    let change = |change: fn(&mut GateClaims)| {
        let mut claims = gate();
        change(&mut claims);
        match Claims::Gate(claims).encode() {
            Err(ClaimsError::Format(FormatError::Field { field, .. })) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(change(|c| c.cluster_id.clear()), "cluster id");
    assert_eq!(change(|c| c.cluster_id = "a".repeat(46)), "cluster id");
    assert_eq!(change(|c| c.cluster_id = "a".repeat(300)), "cluster id");
    assert_eq!(change(|c| c.cluster_id = "A".into()), "cluster id");
    assert_eq!(change(|c| c.cluster_id = "\u{e9}".into()), "cluster id");
    assert_eq!(change(|c| c.manifest = Some([0; 48])), "manifest digest");
    assert_eq!(change(|c| c.opened.extend([0])), "opened shares");
    assert_eq!(change(|c| c.opened.extend([17])), "opened shares");
    assert_eq!(change(|c| c.commitment = [0; 32]), "commitment");
    assert_eq!(change(|c| c.unsealed = false), "commitment");

    let bytes = Claims::Gate(gate()).encode().unwrap();
    let changed = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Claims::decode(&bytes).unwrap_err().to_string()
    };
    let mut nameless = bytes.clone();
    nameless.splice(26..33, [0]);
    let why = Claims::decode(&nameless).unwrap_err().to_string();
    assert!(why.contains("cluster id: \"\""), "{why}");
    let end = bytes.len();
    for (at, value, why) in [
        (0, &b"C"[..], "does not begin with"),
        (23, b"/", "does not begin with"),
        (24, &[2], "version 2, this build reads version 1"),
        (25, &[0], "purpose: 0"),
        (25, &[5], "purpose: 5"),
        (27, b"_", "cluster id"),
        (27, &[0xff], "cluster id"),
        (81, &[0; 32], "commitment: zeros"),
        (end - 3, &[2], "state: 2"),
        (
            end - 3,
            &[0],
            "commitment: a value; allowed: zero while sealed",
        ),
    ] {
        let found = changed(at, value);
        assert!(found.contains(why), "byte {at}: {found}, not {why}");
    }
}

#[test]
fn one_byte_less_or_more_is_refused() {
    for claims in [Claims::Seal { core: [1; 48] }, Claims::Gate(gate())] {
        let bytes = claims.encode().unwrap();
        for length in 0..bytes.len() {
            let why = Claims::decode(&bytes[..length]).unwrap_err();
            if length < 24 {
                assert_eq!(why, ClaimsError::NotOurs);
            } else {
                assert!(
                    matches!(why, ClaimsError::Format(FormatError::Truncated { .. })),
                    "{why}"
                );
            }
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(
            Claims::decode(&longer),
            Err(ClaimsError::Format(FormatError::Trailing {
                document: "claims",
                more: 1
            }))
        );
    }
}

fn digest() -> impl Strategy<Value = [u8; 48]> {
    prop::collection::vec(any::<u8>(), 48).prop_map(|bytes| bytes.try_into().unwrap())
}

prop_compose! {
    fn any_gate()(
        cluster_id in "[a-z0-9-]{1,45}",
        blob in digest(),
        commitment in any::<[u8; 32]>(),
        manifest in prop::option::of(digest()),
        unsealed in any::<bool>(),
        opened in prop::collection::btree_set(1..=16_u8, 0..16),
    ) -> GateClaims {
        let commitment = if unsealed { commitment } else { [0; 32] };
        GateClaims { cluster_id, blob, commitment, manifest, unsealed, opened }
    }
}

fn any_claims() -> impl Strategy<Value = Claims> {
    prop_oneof![
        digest().prop_map(|core| Claims::Seal { core }),
        digest().prop_map(|core| Claims::Rewrap { core }),
        digest().prop_map(|subject| Claims::Probe { subject }),
        any_gate().prop_map(Claims::Gate),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(claims in any_claims()) {
        let bytes = claims.encode().unwrap();
        prop_assert!(bytes.len() <= 512);
        prop_assert_eq!(Claims::decode(&bytes), Ok(claims));
    }

    #[test]
    fn different_claims_are_different_bytes(one in any_claims(), other in any_claims()) {
        prop_assert_eq!(one == other, one.encode() == other.encode());
    }

    #[test]
    fn whatever_is_read_is_written_as_it_was(
        claims in any_claims(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = claims.encode().unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut.index(4) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(read) = Claims::decode(&bytes) {
            prop_assert_eq!(read.encode(), Ok(bytes));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), ours in any::<bool>()) {
        let prefix = if ours { hex::decode(PREFIX).unwrap() } else { Vec::new() };
        let _ = Claims::decode(&[prefix, bytes].concat());
    }
}
