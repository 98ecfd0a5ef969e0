//! Image files by AWS's own crate: `eif-peer FOLDER [FILE...]` writes some, reads others, and tells what it measured.
//!
//! FOLDER has `key.pem` and `certificate.pem`. A line of JSON for each file: its name, whether it is signed, its PCRs.

use std::fs::{self, File};
use std::path::Path;

use aws_nitro_enclaves_image_format::defs::{EIF_HDR_ARCH_ARM64, EifBuildInfo, EifIdentityInfo};
use aws_nitro_enclaves_image_format::utils::eif_reader::EifReader;
use aws_nitro_enclaves_image_format::utils::{EifBuilder, SignKeyData};
use sha2::{Digest, Sha384};

fn identity() -> EifIdentityInfo {
    EifIdentityInfo {
        img_name: "chamber".into(),
        img_version: "1.2".into(),
        build_info: EifBuildInfo {
            build_time: "2026-11-24T00:00:00+00:00".into(),
            build_tool: "eif-peer".into(),
            build_tool_version: "0.1.0".into(),
            img_os: "Linux".into(),
            img_kernel: "6.1".into(),
        },
        docker_info: serde_json::json!({"Os": "linux"}),
        custom_info: serde_json::Value::Null,
    }
}

/// `size` is how often each part's text is repeated.
fn write(folder: &Path, name: &str, size: usize, ramdisks: usize, signed: bool, flags: u16) {
    let key = folder.join("key.pem");
    let signer = signed.then(|| {
        let certificate = folder.join("certificate.pem");
        SignKeyData::new(&key.to_string_lossy(), &certificate).expect("key and certificate")
    });
    let kernel = folder.join("kernel");
    fs::write(&kernel, b"a kernel ".repeat(6 * size)).expect("kernel");
    let line = "reboot=k panic=30 pci=off".to_owned();
    let mut builder = EifBuilder::new(&kernel, line, signer, Sha384::new(), flags, identity());
    for index in 0..ramdisks {
        let ramdisk = folder.join(format!("ramdisk-{index}"));
        fs::write(&ramdisk, format!("ramdisk {index} ").repeat(size)).expect("ramdisk");
        builder.add_ramdisk(&ramdisk);
    }
    let mut file = File::create(folder.join(name)).expect("image file");
    let measured = builder.write_to(&mut file);
    println!("{}", serde_json::json!({"file": name, "signed": signed, "measurements": measured}));
}

/// What AWS's reader makes of a file that we wrote.
fn read(file: &str) {
    let mut reader = EifReader::from_eif(file.to_owned()).expect("an image file");
    let signed = reader.signature_section.is_some();
    let measured = reader.get_measurements().expect("measurements");
    println!("{}", serde_json::json!({"file": file, "signed": signed, "measurements": measured}));
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: eif-peer FOLDER [FILE...]");
    let folder = Path::new(&folder);
    arguments.for_each(|file| read(&file));
    write(folder, "one-ramdisk.eif", 5_000, 1, false, 0);
    write(folder, "two-ramdisks.eif", 5_000, 2, false, EIF_HDR_ARCH_ARM64);
    write(folder, "signed.eif", 5_000, 2, true, 0);
    write(folder, "many-ramdisks-signed.eif", 5_000, 5, true, 0);
    // Small enough to be kept beside the reader's tests.
    write(folder, "small.eif", 10, 2, false, 0);
    write(folder, "small-signed.eif", 10, 2, true, 0);
}
