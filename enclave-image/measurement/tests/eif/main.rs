//! Image files: good ones, broken ones, and ones that were made to hurt.
#![expect(clippy::unwrap_used, reason = "a test")]

mod files;
mod images;
mod written;

use std::io::Read;

use images::{assemble, bytes, image, sections};
use measurement::Pcr;
use measurement::eif::{EifError, MAX_METADATA, MAX_SIGNATURE, read};
use proptest::prelude::*;
use sha2::{Digest, Sha384};

fn expected(parts: &[&[u8]]) -> Pcr {
    let inner = Sha384::digest(parts.concat());
    let outer = Sha384::digest([&[0; 48], inner.as_slice()].concat());
    Pcr::from_bytes(outer.into())
}

/// Kernel, command line and both ramdisks.
fn measured() -> Vec<(u16, Vec<u8>)> {
    let mut parts = sections(false);
    parts.retain(|(kind, _)| *kind <= 3);
    parts
}

/// Written by AWS's own crate, aws-nitro-enclaves-image-format 0.8.1 (`make eif-peer` makes such files), with its PCRs.
#[test]
fn files_of_awss_own_writer_are_described_as_it_measures_them() {
    let pcr = |text: &str| Pcr::parse(text).unwrap();
    let plain = read(&include_bytes!("aws.eif")[..]).unwrap();
    let signed = read(&include_bytes!("aws-signed.eif")[..]).unwrap();
    for found in [&plain, &signed] {
        assert_eq!(
            found.pcr0,
            pcr(
                "4bd6e76af24bc42cdb711d6d60ca8fd9752161023ee0e3efa49255841d8e25149ac88b2e01826deb4717bbf58b50bf5f"
            )
        );
        assert_eq!(
            found.pcr1,
            pcr(
                "c6909d60be5f6f3f1a87b7bb4dc91ed57bb335612a4dae243add2078c38924df9738f18e72a3229db0276d4e2eb8b17a"
            )
        );
        assert_eq!(
            found.pcr2,
            pcr(
                "2c57e1119ea5fe4aca80fab14deb0fc13aaf0d252a741089d0f14c82b0d959d99a964b5db821df5ca19a3605ced382e2"
            )
        );
        assert!(found.crc_matches);
        assert_eq!(found.to_json()["ImageName"], "chamber");
    }
    assert_eq!(plain.pcr8, None);
    assert_eq!(
        signed.pcr8,
        Some(pcr(
            "fb7ba64ca8e3492b848b50226f4d76c8e83fa1bdcfaefbda7adf815d2972605262fe5d3e60d366aebb2dbcb02378d8fc"
        ))
    );
}

#[test]
fn registers_are_as_aws_defines_them() {
    let parts = sections(true);
    let (kernel, cmdline, first, second) = (&parts[0].1, &parts[1].1, &parts[3].1, &parts[4].1);
    let found = read(image(true).as_slice()).unwrap();
    assert_eq!(found.pcr0, expected(&[kernel, cmdline, first, second]));
    assert_eq!(found.pcr1, expected(&[kernel, cmdline, first]));
    assert_eq!(found.pcr2, expected(&[second]));
    assert_eq!(found.pcr8, Some(expected(&[b"a certificate"])));
    assert!(found.crc_matches);
    assert_eq!(
        found.measurement().registers[&8],
        expected(&[b"a certificate"])
    );
}

/// Seen on an image of one ramdisk: PCR0 is PCR1, and PCR2 is that of nothing.
#[test]
fn one_ramdisk_leaves_the_second_register_as_of_nothing() {
    let found = read(bytes(b"kernel", &[b"the only ramdisk".to_vec()], None).as_slice()).unwrap();
    assert_eq!(found.pcr0, found.pcr1);
    assert!(found.pcr2.to_string().starts_with("21b9efbc1848"));
    assert_eq!(found.pcr8, None);
}

#[test]
fn what_nitro_cli_prints() {
    let found = read(image(true).as_slice()).unwrap();
    let json = found.to_json();
    assert_eq!(json["EifVersion"], 4);
    assert_eq!(json["Measurements"]["HashAlgorithm"], "Sha384 { ... }");
    for (name, pcr) in [
        ("PCR0", found.pcr0),
        ("PCR1", found.pcr1),
        ("PCR2", found.pcr2),
    ] {
        assert_eq!(json["Measurements"][name], pcr.to_string());
    }
    assert_eq!(
        json["Measurements"]["PCR8"],
        found.pcr8.unwrap().to_string()
    );
    assert_eq!(
        (&json["IsSigned"], &json["CheckCRC"]),
        (&true.into(), &true.into())
    );
    assert_eq!(json["ImageName"], "chamber");
    assert_eq!(json["ImageVersion"], "1.2");
    assert_eq!(json["Metadata"]["BuildTool"], "test");
    assert_eq!(json["Metadata"]["DockerInfo"]["Os"], "linux");
    let unsigned = read(image(false).as_slice()).unwrap().to_json();
    assert_eq!(unsigned["IsSigned"], false);
    assert!(unsigned["Measurements"].get("PCR8").is_none());
}

#[test]
fn metadata_and_signature_are_not_measured() {
    let bare = read(assemble(&measured()).as_slice()).unwrap();
    let full = read(image(true).as_slice()).unwrap();
    assert_eq!(
        (bare.pcr0, bare.pcr1, bare.pcr2),
        (full.pcr0, full.pcr1, full.pcr2)
    );
}

#[test]
fn a_wrong_checksum_is_told_and_no_error() {
    let mut file = image(false);
    let last = file.iter().position(|byte| *byte == b'k').unwrap();
    file[last] = b'K';
    assert!(!read(file.as_slice()).unwrap().crc_matches);
}

#[test]
fn every_prefix_is_cut_off() {
    let file = image(true);
    for length in (0..700)
        .chain((700..file.len()).step_by(997))
        .chain([file.len() - 1])
    {
        let error = read(&file[..length]).unwrap_err();
        assert!(
            matches!(error, EifError::Truncated { .. }),
            "{length}: {error}"
        );
    }
}

/// A file that goes on and on, and counts what is taken of it; far beyond every bound it fails, so that the test does, too.
struct Endless(u64);

const FAR: u64 = 64 * 1024 * 1024;

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0 += buffer.len() as u64;
        if self.0 > FAR {
            return Err(std::io::Error::other("read far beyond every bound"));
        }
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

#[test]
fn announced_sizes_allocate_nothing() {
    for (kind, most) in [(4, MAX_SIGNATURE), (5, MAX_METADATA)] {
        let mut parts = measured()[..3].to_vec();
        parts.push((kind, vec![]));
        let mut file = assemble(&parts);
        let (size, end) = (u64::MAX.to_be_bytes(), file.len());
        file[284 + 24..292 + 24].copy_from_slice(&size);
        file[end - 8..].copy_from_slice(&size);
        let mut rest = Endless(0);
        let error = read(file.as_slice().chain(&mut rest)).unwrap_err();
        assert!(
            matches!(error, EifError::TooLarge { most: bound, .. } if bound == most),
            "{error}"
        );
        assert_eq!(rest.0, 0);
    }
}

#[test]
fn each_fault_has_its_error() {
    let good = sections(true);
    let spoilt = |at: usize, byte: u8| {
        let mut file = image(true);
        file[at] = byte;
        read(file.as_slice()).unwrap_err()
    };
    assert!(matches!(spoilt(0, b'E'), EifError::Magic));
    assert!(matches!(spoilt(5, 9), EifError::Version(9)));
    assert!(matches!(spoilt(27, 33), EifError::SectionCount(33)));
    assert!(matches!(spoilt(27, 0), EifError::SectionCount(0)));
    assert!(matches!(
        spoilt(35, 0),
        EifError::Disagreement {
            what: "the offset",
            ..
        }
    ));
    assert!(matches!(
        spoilt(291, 0),
        EifError::Disagreement {
            what: "the size",
            ..
        }
    ));
    assert!(matches!(
        spoilt(549, 9),
        EifError::SectionType { found: 9, .. }
    ));
    let of = |parts: &[(u16, Vec<u8>)]| read(assemble(parts).as_slice()).unwrap_err();
    assert!(matches!(of(&good[..2]), EifError::Missing("ramdisk")));
    assert!(matches!(of(&good[1..]), EifError::Order { index: 0, .. }));
    for again in [&good[2..3], &good[5..6], &good[0..1], &good[1..2]] {
        let twice = [&good[..], again].concat();
        assert!(matches!(of(&twice), EifError::Order { .. }));
    }
    let with = |kind: u16, data: &[u8]| of(&[&measured()[..3], &[(kind, data.to_vec())]].concat());
    assert!(matches!(with(4, b"x"), EifError::Signature(_)));
    assert!(matches!(with(4, &[0x80]), EifError::Signature(_)));
    assert!(matches!(with(5, b"[]"), EifError::Metadata(_)));
    let mut longer = image(true);
    longer.push(0);
    assert!(matches!(
        read(longer.as_slice()).unwrap_err(),
        EifError::Trailing
    ));
}

proptest! {
    #[test]
    fn a_changed_file_is_refused_or_has_another_checksum(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4)
    ) {
        let good = image(true);
        let mut file = good.clone();
        for (index, change) in changes {
            file[index.index(good.len())] ^= change;
        }
        prop_assume!(file != good);
        if let Ok(found) = read(file.as_slice()) {
            prop_assert!(!found.crc_matches);
        }
    }

    #[test]
    fn headers_of_anything_are_no_panic(header in prop::collection::vec(any::<u8>(), 0..700)) {
        let mut file = image(true);
        let length = header.len().min(file.len());
        file[4..length.max(4)].copy_from_slice(&header[..length.max(4) - 4]);
        let _ = read(file.as_slice());
        let _ = read(header.as_slice());
    }
}
