//! The program: what it builds, what measures what, what it refuses, and who signs.
#![expect(clippy::unwrap_used, reason = "a test")]

mod examples;
mod inputs;
mod kms;
mod refused;
mod signed;
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cluster_manifest::Authority;
use flate2::read::GzDecoder;
use measurement::eif::{read, take_apart};
use serde_json::{Value, json};
use world::{AUTHORITY, World};

/// A tree with a program, a folder, and a link.
fn tree(folder: &Path, names: [&str; 2]) {
    fs::create_dir_all(folder.join("etc/chamber")).unwrap();
    for name in names {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::write(folder.join("etc/chamber/workload.json"), "{}").unwrap();
    symlink("../a", folder.join("etc/link")).unwrap();
    let program = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder.join("a"), program).unwrap();
}

#[test]
fn the_same_inputs_in_another_folder_give_the_same_bytes() {
    let built = [["a", "b"], ["b", "a"]].map(|names| {
        let world = World::new();
        tree(&world.path("files"), names);
        let authority = world.write("authority.pem", AUTHORITY);
        let files = world.path("files");
        let built = world.build(&[
            "--files",
            files.to_str().unwrap(),
            "--authorities",
            &authority,
        ]);
        (built.eif, built.json)
    });
    assert!(built[0].0 == built[1].0, "the image file");
    assert_eq!(built[0].1, built[1].1);
}

#[test]
fn measurements_are_what_describe_eif_says_and_what_it_was_built_of() {
    let world = World::new();
    let authority = world.write("authority.pem", format!("who: us\n{AUTHORITY}"));
    let config = world.write("config", "CONFIG_A=y\n");
    let built = world.build(&["--authorities", &authority, "--kernel-config", &config]);
    let description = read(built.eif.as_slice()).unwrap();
    let fingerprint = Authority::from_pem(AUTHORITY).unwrap().fingerprint();
    let mut rest = built.json.clone();
    let made_of = rest.as_object_mut().unwrap().remove("Build").unwrap();
    let release = rest.as_object_mut().unwrap().remove("Release").unwrap();
    assert_eq!(rest, description.to_json());
    assert_eq!(rest["Authorities"], json!([fingerprint.to_string()]));
    assert_eq!(rest["Metadata"]["KernelVersion"], "6.12.117");
    assert_eq!(made_of["KernelVersion"], "6.12.117");
    // printf 'CONFIG_A=y\n' | sha256sum
    let hash = "e7e1b2c0a9031fbc9e999438d6d65847f80ddd76244dfc5a1efac71731d40f85";
    assert_eq!(made_of["KernelConfigSha256"], hash);
    assert_eq!(made_of["CommandLine"], world::CMDLINE);
    assert_eq!(
        release,
        json!({
            "imageSha384": description.pcr0,
            "pcr1": description.pcr1,
            "pcr2": description.pcr2,
            "authorities": [AUTHORITY],
        })
    );
    assert!(
        built.out.contains(&format!("authority  {fingerprint}")),
        "{}",
        built.out
    );
    assert!(!built.err.contains("no authority"), "{}", built.err);
}

/// Measured as nothing, a ramdisk of the user's that is not there would make every image's PCR2 the same.
#[test]
fn an_image_without_anything_of_the_users_says_so_and_has_a_second_ramdisk() {
    let world = World::new();
    let built = world.build(&[]);
    assert!(built.err.contains("measures no authority"), "{}", built.err);
    assert!(built.err.contains("has no /workload"), "{}", built.err);
    assert_eq!(built.json["Authorities"], json!([]));
    let (_, parts) = take_apart(built.eif.as_slice()).unwrap();
    assert_eq!(parts.ramdisks.len(), 2);
    assert_eq!(
        names(&parts.ramdisks[0]),
        ["dev", "init", "proc", "sys", "tmp"]
    );
    assert_eq!(names(&parts.ramdisks[1]), ["etc", "etc/chamber"]);
}

#[test]
fn everything_belongs_to_root_and_only_what_may_be_executed_is_kept() {
    let world = World::new();
    tree(&world.path("files"), ["a", "b"]);
    let workload = world.write("some program", "program");
    let files = world.path("files");
    let built = world.build(&["--files", files.to_str().unwrap(), "--workload", &workload]);
    let (_, parts) = take_apart(built.eif.as_slice()).unwrap();
    let mut found = Vec::new();
    let mut inodes = BTreeSet::new();
    entries(&parts.ramdisks[1], |entry, content| {
        assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0));
        assert_eq!((entry.dev_major(), entry.rdev_minor()), (0, 0));
        assert!(inodes.insert(entry.ino()));
        let text = String::from_utf8_lossy(content).into_owned();
        found.push((entry.name().to_owned(), format!("{:o}", entry.mode()), text));
    });
    let expected = [
        ("a", "100755", "a"),
        ("b", "100644", "b"),
        ("etc", "40755", ""),
        ("etc/chamber", "40755", ""),
        ("etc/chamber/workload.json", "100644", "{}"),
        ("etc/link", "120777", "../a"),
        ("workload", "100755", "program"),
    ];
    let expected = expected.map(|(name, mode, text)| (name.into(), mode.into(), text.into()));
    assert_eq!(found, expected);
    assert_eq!(inodes, (1..8).collect());
}

/// Each input changes the registers that docs/enclave-image.md says, and no others.
#[test]
fn each_input_has_its_registers() {
    let world = World::new();
    let plain = world.build(&[]).json;
    let (other, authority) = (
        world.write("other", "another"),
        world.write("pem", AUTHORITY),
    );
    fs::create_dir(world.path("files")).unwrap();
    world.write("files/data", "data");
    let files = world.path("files");
    let kernel = world.write("kernel2", world::kernel("6.12.118"));
    for (arguments, registers) in [
        (["--kernel", &kernel], "PCR0 PCR1"),
        (["--cmdline", "quiet"], "PCR0 PCR1"),
        (["--init", &other], "PCR0 PCR1"),
        (["--workload", &other], "PCR0 PCR2"),
        (["--files", files.to_str().unwrap()], "PCR0 PCR2"),
        (["--authorities", &authority], "PCR0 PCR2"),
        (["--name", "other"], ""),
        (["--image-version", "7"], ""),
        (["--kernel-config", &other], ""),
    ] {
        let changed = world.build(&arguments).json;
        let differs = |name: &&str| changed["Measurements"][name] != plain["Measurements"][name];
        let found: Vec<_> = ["PCR0", "PCR1", "PCR2"]
            .into_iter()
            .filter(differs)
            .collect();
        assert_eq!(found.join(" "), registers, "{arguments:?}");
    }
}

fn entries(ramdisk: &[u8], mut take: impl FnMut(&cpio::newc::Entry, &[u8])) {
    let mut archive = GzDecoder::new(ramdisk);
    loop {
        let mut reader = cpio::newc::Reader::new(archive).unwrap();
        let entry = reader.entry().clone();
        if entry.is_trailer() {
            return;
        }
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut content).unwrap();
        take(&entry, &content);
        archive = reader.finish().unwrap();
    }
}

fn names(ramdisk: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    entries(ramdisk, |entry, _| names.push(entry.name().to_owned()));
    names
}

/// What a built image's measurements say of one register.
fn register<'a>(json: &'a Value, name: &str) -> &'a str {
    json["Measurements"][name].as_str().unwrap_or_default()
}
