//! What is written is what AWS's tools write, and is read back.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use ciborium::Value;
use measurement::eif::{
    Image, MAX_METADATA, MAX_RAMDISKS, MAX_SIGNATURE, WriteError, read, signature_section,
    take_apart, to_be_signed, write,
};
use proptest::prelude::*;

const PLAIN: &[u8] = include_bytes!("aws.eif");
const SIGNED: &[u8] = include_bytes!("aws-signed.eif");

/// A section of a file, by its place.
fn section(file: &[u8], index: usize) -> &[u8] {
    let number = |at: usize| u64::from_be_bytes(file[at..at + 8].try_into().unwrap());
    let at = |place: usize| usize::try_from(number(place + 8 * index)).unwrap();
    &file[at(28) + 12..][..at(284)]
}

/// Certificate (PEM) and `COSE_Sign1` of a signature section.
fn members(section: &[u8]) -> [Vec<u8>; 2] {
    let value: Value = ciborium::from_reader(section).unwrap();
    let one = value.as_array().unwrap()[0].as_map().unwrap();
    ["signing_certificate", "signature"].map(|name| {
        let (_, value) = one
            .iter()
            .find(|(found, _)| found.as_text() == Some(name))
            .unwrap();
        let numbers = value.as_array().unwrap().iter();
        numbers
            .map(|number| u8::try_from(number.as_integer().unwrap()).unwrap())
            .collect()
    })
}

/// Written with what AWS's crate wrote: kernel, command line, metadata, ramdisks and signature.
fn again(theirs: &[u8], signature: Option<&[u8]>) -> Vec<u8> {
    let (_, parts) = take_apart(theirs).unwrap();
    let image = Image {
        kernel: &parts.kernel,
        cmdline: std::str::from_utf8(&parts.cmdline).unwrap(),
        ramdisks: &parts.ramdisks,
        metadata: std::str::from_utf8(section(theirs, 2)).unwrap(),
    };
    let mut ours = Vec::new();
    write(&image, signature, &mut ours).unwrap();
    ours
}

#[test]
fn files_of_awss_own_crate_come_out_bit_for_bit() {
    assert!(again(PLAIN, None) == PLAIN);
    assert!(again(SIGNED, Some(section(SIGNED, 5))) == SIGNED);
}

#[test]
fn a_signature_of_awss_own_crate_is_over_the_bytes_that_we_sign() {
    let theirs = section(SIGNED, 5);
    let [certificate, cose] = members(theirs);
    let certificate = String::from_utf8(certificate).unwrap();
    let signature = &cose[cose.len() - 96..];
    let pcr0 = read(SIGNED).unwrap().pcr0;
    let der = pem::parse(&certificate).unwrap().into_contents();
    // RFC 5480: a bit string with an uncompressed point of P-384.
    let at = der
        .windows(4)
        .position(|bytes| bytes == [3, 98, 0, 4])
        .unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &der[at + 3..at + 100]);
    let message = to_be_signed(&pcr0).unwrap();
    key.verify(&message, signature).unwrap();
    assert!(key.verify(&message[1..], signature).is_err());
    let ours = signature_section(&pcr0, &certificate, signature).unwrap();
    assert!(ours == theirs, "the section as AWS's crate writes it");
}

#[test]
fn what_the_reader_would_refuse_is_not_written() {
    let write = |ramdisks: usize, metadata: &str, signature: &[u8]| {
        let image = Image {
            kernel: b"kernel",
            cmdline: "quiet",
            ramdisks: &vec![vec![]; ramdisks],
            metadata,
        };
        write(&image, Some(signature), Vec::new())
    };
    assert!(write(MAX_RAMDISKS, "{}", b"").is_ok());
    for ramdisks in [0, MAX_RAMDISKS + 1] {
        let refused = write(ramdisks, "{}", b"");
        assert!(matches!(refused, Err(WriteError::Ramdisks(found)) if found == ramdisks));
    }
    let long = |most: u64| usize::try_from(most).unwrap() + 1;
    let metadata = " ".repeat(long(MAX_METADATA));
    assert!(matches!(
        write(1, &metadata, b""),
        Err(WriteError::TooLarge {
            part: "metadata",
            ..
        })
    ));
    assert!(matches!(
        write(1, "{}", &vec![0; long(MAX_SIGNATURE)]),
        Err(WriteError::TooLarge {
            part: "signature",
            ..
        })
    ));
    assert!(matches!(write(1, "[]", b""), Err(WriteError::Metadata(_))));
}

#[test]
fn a_section_needs_one_certificate_and_a_whole_signature() {
    let pcr0 = read(PLAIN).unwrap().pcr0;
    let [certificate, _] = members(section(SIGNED, 5));
    let certificate = String::from_utf8(certificate).unwrap();
    for wrong in [
        "",
        "none",
        &certificate.repeat(2),
        &certificate.replace("CERTIFICATE", "KEY"),
    ] {
        let refused = signature_section(&pcr0, wrong, &[0; 96]);
        assert!(
            matches!(refused, Err(WriteError::Certificate(_))),
            "{wrong}"
        );
    }
    for length in [0, 95, 97] {
        let refused = signature_section(&pcr0, &certificate, &vec![0; length]);
        assert!(matches!(refused, Err(WriteError::Signature(found)) if found == length));
    }
}

#[test]
fn ramdisks_without_bytes_are_ramdisks() {
    for ramdisks in [
        vec![vec![]],
        vec![vec![1], vec![]],
        vec![vec![], vec![1], vec![], vec![]],
    ] {
        let image = Image {
            kernel: b"",
            cmdline: "",
            ramdisks: &ramdisks,
            metadata: "{}",
        };
        let mut file = Vec::new();
        write(&image, None, &mut file).unwrap();
        let (_, parts) = take_apart(file.as_slice()).unwrap();
        assert_eq!(parts.ramdisks, ramdisks);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        kernel in prop::collection::vec(any::<u8>(), 0..5_000),
        cmdline in "[ -~]{0,300}",
        ramdisks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2_000), 1..6),
        name in ".{0,40}",
        signed in any::<bool>(),
    ) {
        let metadata = serde_json::json!({ "ImageName": name }).to_string();
        let image = Image { kernel: &kernel, cmdline: &cmdline, ramdisks: &ramdisks, metadata: &metadata };
        let signature = section(SIGNED, 5);
        let mut file = Vec::new();
        write(&image, signed.then_some(signature), &mut file).unwrap();
        let (found, parts) = take_apart(file.as_slice()).unwrap();
        prop_assert_eq!(&parts.kernel, &kernel);
        prop_assert_eq!(parts.cmdline, cmdline.as_bytes());
        prop_assert_eq!(&parts.ramdisks, &ramdisks);
        prop_assert_eq!([found.pcr0, found.pcr1, found.pcr2], image.registers());
        prop_assert_eq!(found.pcr8.is_some(), signed);
        prop_assert!(found.crc_matches);
        prop_assert_eq!(&found.metadata["ImageName"], &name);
        prop_assert_eq!(read(file.as_slice()).unwrap(), found);
    }
}
