//! `measure`: the measurement file of an image, by the formulas that nitro-cli uses for an EIF.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use aws_lc_rs::digest::{SHA384, digest};
use cluster_manifest::Authority;
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
    /// Public key (PEM) of an authority whose cluster manifests the image believes; repeat it for several.
    #[arg(long = "authority", value_name = "PEM")]
    authorities: Vec<PathBuf>,
    /// Certificate (DER) that the image is signed with.
    #[arg(long, value_name = "DER")]
    certificate: Option<PathBuf>,
    /// The binary in the image.
    binary: PathBuf,
}

pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let binary = std::fs::read(&options.binary)
        .with_context(|| format!("reading {}", options.binary.display()))?;
    let authorities = options.authorities.iter().map(|path| {
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
    });
    let authorities = authorities.collect::<Result<Vec<_>, _>>()?;
    let mut file = measure(&binary, &options.release, authorities)?;
    if let Some(path) = &options.certificate {
        let certificate =
            std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        file.pcr8 = Some(pcr(&[&certificate]));
    }
    let json = serde_json::to_string_pretty(&file)? + "\n";
    std::fs::write(&options.out, json)
        .with_context(|| format!("writing {}", options.out.display()))?;
    println!("{}", file.image_sha384);
    Ok(ExitCode::SUCCESS)
}

/// The binary stands for the kernel, the release for the command line and for both ramdisks; the authorities' keys are
/// files of the second one.
fn measure(
    binary: &[u8],
    release: &str,
    authorities: Vec<String>,
) -> anyhow::Result<MeasurementFile> {
    let line = format!("release={release}");
    let init = b"init".as_slice();
    let mut application = release.as_bytes().to_vec();
    for pem in &authorities {
        application.extend_from_slice(Authority::from_pem(pem)?.der());
    }
    Ok(MeasurementFile {
        image_sha384: pcr(&[binary, line.as_bytes(), init, &application]),
        pcr1: pcr(&[binary, line.as_bytes(), init]),
        pcr2: pcr(&[&application]),
        pcr8: None,
        authorities,
    })
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

    fn measured(binary: &[u8], release: &str) -> MeasurementFile {
        measure(binary, release, Vec::new()).unwrap()
    }

    #[test]
    fn an_authority_is_measured() {
        let key = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let with = measure(b"binary", "v1", vec![pem]).unwrap();
        let without = measured(b"binary", "v1");
        assert_ne!(with.image_sha384, without.image_sha384);
        assert_ne!(with.pcr2, without.pcr2);
        assert!(measure(b"binary", "v1", vec!["none".into()]).is_err());
    }

    #[test]
    fn releases_and_binaries_differ_in_measurement() {
        let one = measured(b"binary", "v1");
        let two = measured(b"binary", "v2");
        assert_ne!(one.image_sha384, two.image_sha384);
        assert_ne!(one.pcr2, two.pcr2);
        let other = measured(b"other", "v1");
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
