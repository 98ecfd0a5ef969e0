//! What the measured files of an image say, and images that would have us say something else than their kernel reads.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use measurement::eif::{AUTHORITIES, Description, ImageFiles, read};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::images::{bytes, image};

const KEY: &[u8] = b"the DER of a key";
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const DEVICE: u32 = 0o020_600;

type Entry<'a> = (&'a str, u32, &'a [u8]);

fn pem(tag: &str) -> Vec<u8> {
    pem::encode(&pem::Pem::new(tag, KEY)).into_bytes()
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, mode, content) in entries {
        let header = cpio::newc::Builder::new(name).mode(*mode);
        let mut writer = header.write(out, u32::try_from(content.len()).unwrap());
        writer.write_all(content).unwrap();
        out = writer.finish().unwrap();
    }
    cpio::newc::trailer(out).unwrap()
}

fn gzip(builder: GzBuilder, archive: &[u8]) -> Vec<u8> {
    let mut out = builder.write(Vec::new(), Compression::fast());
    out.write_all(archive).unwrap();
    out.finish().unwrap()
}

fn packed(entries: &[Entry<'_>]) -> Vec<u8> {
    gzip(GzBuilder::new(), &archive(entries))
}

fn first() -> Vec<u8> {
    packed(&[("init", FILE, b"the agent")])
}

fn describe(ramdisks: &[Vec<u8>]) -> Description {
    read(bytes(b"kernel", ramdisks, None).as_slice()).unwrap()
}

fn files(second: Vec<u8>) -> Result<ImageFiles, String> {
    let found = describe(&[first(), second]).files;
    found.map_err(|error| error.to_string())
}

fn good() -> Vec<u8> {
    packed(&[
        ("etc", DIRECTORY, b""),
        ("etc/chamber", DIRECTORY, b""),
        (AUTHORITIES, FILE, &pem("PUBLIC KEY").repeat(2)),
        ("workload", FILE, b"a program"),
    ])
}

#[test]
fn authorities_and_agent_are_told() {
    let found = describe(&[first(), good()]);
    let expected: [u8; 32] = Sha256::digest(KEY).into();
    assert_eq!(
        found.files,
        Ok(ImageFiles {
            authorities: vec![expected; 2],
            init_sha256: Some(Sha256::digest(b"the agent").into()),
        })
    );
    let json = found.to_json();
    assert_eq!(json["Authorities"][1], hex::encode(expected));
    assert_eq!(
        json["InitSha256"],
        hex::encode(Sha256::digest(b"the agent"))
    );
    assert!(json.get("FilesUnknown").is_none());
}

#[test]
fn an_image_without_the_file_has_no_authority() {
    let found = describe(&[first(), packed(&[("x", FILE, b"")])]);
    assert_eq!(found.to_json()["Authorities"], serde_json::json!([]));
    let empty = packed(&[
        ("etc", DIRECTORY, b""),
        ("etc/chamber", DIRECTORY, b""),
        (AUTHORITIES, FILE, b""),
    ]);
    assert_eq!(files(empty).unwrap().authorities.len(), 0);
}

/// An archive of another make is not an image without authorities: it cannot be told.
#[test]
fn what_cannot_be_unpacked_is_not_told() {
    let found = read(image(false).as_slice()).unwrap();
    let json = found.to_json();
    assert!(json["Authorities"].is_null());
    let why = json["FilesUnknown"].as_str().unwrap();
    assert_eq!(why, "ramdisk 1: cannot be unpacked: it is not plain gzip");
}

/// Each is an image whose kernel would, or might, read another file than the one that stands at the path.
#[test]
fn nothing_is_told_where_the_kernel_could_read_something_else() {
    let authorities = (AUTHORITIES, FILE, &*pem("PUBLIC KEY"));
    let (etc, chamber) = (
        ("etc", DIRECTORY, b"".as_slice()),
        ("etc/chamber", DIRECTORY, b"".as_slice()),
    );
    let cases: [(&[Entry<'_>], &str); 14] = [
        (
            &[("init", FILE, b"another agent")],
            "\"init\" is there twice",
        ),
        (&[("init", LINK, b"workload")], "\"init\" is a link"),
        (
            &[etc, chamber, authorities, (AUTHORITIES, FILE, b"")],
            "is there twice",
        ),
        (&[("etc", LINK, b"other")], "\"etc\" is a link"),
        (&[etc, ("etc/chamber", LINK, b"other")], "is a link"),
        (&[etc, chamber, (AUTHORITIES, LINK, b"x")], "is a link"),
        (&[etc, chamber, (AUTHORITIES, DIRECTORY, b"")], "is no file"),
        (&[authorities], "stands in no directory of the archive"),
        (
            &[("x", LINK, b"etc"), ("x/chamber", DIRECTORY, b"")],
            "stands in no directory",
        ),
        (&[etc, ("etc", LINK, b"other")], "is a link"),
        (&[("./x", FILE, b"")], "is no plain path"),
        (&[("/etc", DIRECTORY, b"")], "is no plain path"),
        (
            &[("a", DIRECTORY, b""), ("a/../init", FILE, b"")],
            "is no plain path",
        ),
        (&[("x", DEVICE, b"content")], "is no file, and has content"),
    ];
    for (entries, why) in cases {
        let found = files(packed(entries)).unwrap_err();
        assert!(
            found.starts_with("ramdisk 2: ") && found.contains(why),
            "{entries:?}: {found}"
        );
    }
    assert!(
        files(packed(&[
            etc,
            chamber,
            ("x", LINK, b"etc"),
            ("n", DEVICE, b"")
        ]))
        .is_ok()
    );
}

#[test]
fn one_archive_in_one_plain_gzip_file_and_nothing_else() {
    let inner = archive(&[("x", FILE, b"content")]);
    let plain = |archive: &[u8]| gzip(GzBuilder::new(), archive);
    let patched = |at: usize, with: &[u8]| {
        let mut archive = inner.clone();
        archive[at..at + with.len()].copy_from_slice(with);
        files(plain(&archive)).unwrap_err()
    };
    assert!(files(plain(&inner)).is_ok());
    assert!(files(plain(&[&*inner, &[0; 700]].concat())).is_ok());
    let two = files(plain(&[&*inner, &*inner].concat())).unwrap_err();
    assert!(two.contains("goes on behind its last entry"), "{two}");
    let members = files([plain(&inner), plain(&inner)].concat()).unwrap_err();
    assert!(
        members.contains("goes on behind its compressed data"),
        "{members}"
    );
    for builder in [
        GzBuilder::new().extra(inner.clone()),
        GzBuilder::new().filename("x"),
        GzBuilder::new().comment("x"),
    ] {
        let flags = files(gzip(builder, &inner)).unwrap_err();
        assert!(flags.contains("it is not plain gzip"), "{flags}");
    }
    let whole = plain(&inner);
    for length in 0..whole.len() {
        assert!(files(whole[..length].to_vec()).is_err(), "{length}");
    }
    for length in (0..inner.len()).filter(|length| inner.len() - length > 3) {
        assert!(files(plain(&inner[..length])).is_err(), "{length}");
    }
    assert!(patched(0, b"070702").contains("070701"));
    // The kernel reads up to the sign, others from it on.
    assert!(patched(54, b"+0000007").contains("not hex"));
    assert!(patched(38, b"00000002").contains("is a hard link"));
    assert!(patched(94, b"00000001").contains("a name is empty"));
    assert!(patched(94, b"00001001").contains("too long"));
    assert!(patched(110, b"\0").contains("its only zero byte"));
    assert!(patched(110, b"\xff").contains("not UTF-8"));
}

#[test]
fn authorities_are_public_keys() {
    let with = |content: &[u8]| {
        files(packed(&[
            ("etc", DIRECTORY, b""),
            ("etc/chamber", DIRECTORY, b""),
            (AUTHORITIES, FILE, content),
        ]))
    };
    assert!(
        with(&pem("CERTIFICATE"))
            .unwrap_err()
            .contains("CERTIFICATE")
    );
    let broken = pem("PUBLIC KEY");
    assert!(with(&[b"-----BEGIN PUBLIC KEY-----\n!", &*broken].concat()).is_err());
    assert!(
        with(&b" ".repeat(64 * 1024 + 1))
            .unwrap_err()
            .contains("64 KiB")
    );
}

/// Registers and checksum are of the bytes in the file, whatever is told of its files.
#[test]
fn a_broken_ramdisk_is_measured_all_the_same() {
    let mut second = good();
    let middle = second.len() / 2;
    second[middle] ^= 1;
    let found = describe(&[first(), second]);
    assert!(found.files.is_err() && found.crc_matches);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    /// What is told of a changed archive is what the good one says, or nothing: a byte more or less shows no other authority.
    #[test]
    fn a_changed_archive_shows_no_other_authority(
        at in any::<prop::sample::Index>(), change in 1_u8.., take in any::<bool>()
    ) {
        let key = pem("PUBLIC KEY");
        let mut inner = archive(&[("etc", DIRECTORY, b""), ("etc/chamber", DIRECTORY, b""), (AUTHORITIES, FILE, &key)]);
        let start = inner.windows(key.len()).position(|bytes| bytes == key).unwrap();
        let at = at.index(start);
        if take { inner.remove(at); } else { inner[at] ^= change; }
        if let Ok(found) = files(gzip(GzBuilder::new(), &inner)) {
            let expected: [u8; 32] = Sha256::digest(KEY).into();
            prop_assert!(found.authorities.is_empty() || found.authorities == [expected]);
        }
    }
}
