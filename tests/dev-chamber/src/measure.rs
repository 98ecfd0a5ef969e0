//! `measure`: the measurement file of an image, by the formulas that nitro-cli uses for an EIF.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use aws_lc_rs::digest::{SHA384, digest};
use measurement::Pcr;

use crate::files::MeasurementFile;

#[derive(clap::Args)]
pub struct Options {
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
    /// Release that the image is of, such as v1: two releases of one binary differ in measurement.
    #[arg(long)]
    release: String,
    /// The binary in the image.
    binary: PathBuf,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let binary = std::fs::read(&options.binary)
        .with_context(|| format!("reading {}", options.binary.display()))?;
    let file = measure(&binary, &options.release);
    let json = serde_json::to_string_pretty(&file)? + "\n";
    std::fs::write(&options.out, json)
        .with_context(|| format!("writing {}", options.out.display()))?;
    println!("{}", file.image_sha384);
    Ok(ExitCode::SUCCESS)
}

/// The binary stands for the kernel, the release for the command line and for both ramdisks.
fn measure(binary: &[u8], release: &str) -> MeasurementFile {
    let line = format!("release={release}");
    let init = b"init".as_slice();
    let application = release.as_bytes();
    MeasurementFile {
        image_sha384: pcr(&[binary, line.as_bytes(), init, application]),
        pcr1: pcr(&[binary, line.as_bytes(), init]),
        pcr2: pcr(&[application]),
    }
}

/// SHA-384 over 48 zero bytes and the SHA-384 of the sections, as the security module extends a register once.
fn pcr(sections: &[&[u8]]) -> Pcr {
    let content = digest(&SHA384, &sections.concat());
    let register = digest(&SHA384, &[&[0; 48][..], content.as_ref()].concat());
    let mut bytes = [0; 48];
    bytes.copy_from_slice(register.as_ref());
    Pcr::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_binaries_differ_in_measurement() {
        let one = measure(b"binary", "v1");
        let two = measure(b"binary", "v2");
        assert_ne!(one.image_sha384, two.image_sha384);
        assert_ne!(one.pcr2, two.pcr2);
        let other = measure(b"other", "v1");
        assert_ne!(one.image_sha384, other.image_sha384);
        assert_eq!(
            one.pcr2, other.pcr2,
            "the application's ramdisk is the same"
        );
    }

    #[test]
    fn a_register_is_extended_once_from_zero() {
        // SHA-384(48 zero bytes || SHA-384("abc")), computed with another implementation.
        let expected = "93732e3733514a841c982cfa75ea76ab55fe011acb9cd980ef4523913c65be1b0998e04d77f8c174f81a82151619ca40";
        assert_eq!(pcr(&[b"a", b"bc"]).to_string(), expected);
    }
}
