//! The project's images, from static binaries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::configs::PAUSE_IMAGE;
use crate::oci::{Image, ImageFile};
use crate::paths;

const TARGET: &str = "x86_64-unknown-linux-gnu";
pub(crate) const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What the images of tests hold or are made with: built at once, because each choice of packages has features of its own
/// and would compile what they share anew.
const PACKAGES: [&str; 8] = [
    "dev-operator",
    "kms-emulator",
    "dev-chamber",
    "pod-targets",
    "emulated-chamber",
    // The production agent, for an image that is only booted.
    "enclave",
    "enclave-sim",
    "eif-build",
];

/// The releases of the demo's chamber: their measurements differ.
const RELEASES: [&str; 2] = ["v1", "v2"];
/// A release whose image measures an authority, and is signed.
const TRUSTED: &str = "v3";
/// The authority's public key in the folder of the images; its private key is in `authority.key.pem`.
pub(crate) const AUTHORITY: &str = "authority.pem";

/// The images and the measurement files of the chamber's releases.
#[derive(Clone, Debug)]
pub struct Images {
    /// The folder of the tars, of `chamber-<release>.measurement.json`, and of the keys and roots of the test world.
    pub dir: PathBuf,
    /// Tars to load.
    pub tars: Vec<PathBuf>,
    /// Name and manifest digest of each, in the same order.
    pub digests: Vec<(String, String)>,
}

/// Builds every image but pause. Static: the images hold nothing else.
pub fn build_all() -> Result<Images> {
    let bin = programs()?;
    let dir = folder(&bin)?;
    let mut images = vec![operator(&bin)?, emulator(&bin)?, prometheus(&bin)?];
    for release in RELEASES {
        images.push(chamber(&bin, &dir, release, None)?);
    }
    for made in ["authority", "roots"] {
        let mut make = Command::new(bin.join("dev-chamber"));
        run(make.args([made, "--out"]).arg(&dir))?;
    }
    images.push(chamber(&bin, &dir, TRUSTED, Some(&dir.join(AUTHORITY)))?);
    let (mut tars, mut digests) = (Vec::new(), Vec::new());
    for image in images {
        let tar = dir.join(file_name(&image.name));
        digests.push((image.name.clone(), image.write(&tar)?));
        tars.push(tar);
    }
    Ok(Images { dir, tars, digests })
}

/// Builds the programs of all images of tests, and gives their folder.
pub(crate) fn programs() -> Result<PathBuf> {
    cargo(&PACKAGES)
}

/// Where the images of tests are, and what they measure.
pub(crate) fn folder(bin: &Path) -> Result<PathBuf> {
    let dir = bin.join("images");
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

/// `chamber.local/chamber:v1` is in `chamber-v1.tar`.
fn file_name(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    format!("{}.tar", name.replace(':', "-"))
}

/// The production operator's library under a test root: the chambers' security modules are emulated.
fn operator(bin: &Path) -> Result<Image> {
    let mut files = vec![program(bin, "dev-operator")?];
    files.extend(certificates()?);
    Ok(Image {
        name: "chamber.local/chamber-operator:dev".into(),
        entrypoint: &["/dev-operator", "run"],
        files,
    })
}

/// This machine's roots of TLS, where it has them.
pub(crate) fn certificates() -> Result<Option<ImageFile>> {
    let file = Path::new(CERTIFICATES);
    file.exists().then(|| read(file, CERTIFICATES)).transpose()
}

fn emulator(bin: &Path) -> Result<Image> {
    Ok(Image {
        name: "chamber.local/kms-emulator:dev".into(),
        entrypoint: &["/kms-emulator"],
        files: vec![program(bin, "kms-emulator")?],
    })
}

/// A release: the same program, and the measurement that its enclave would have.
fn chamber(bin: &Path, dir: &Path, release: &str, authority: Option<&Path>) -> Result<Image> {
    let measurement = dir.join(format!("chamber-{release}.measurement.json"));
    let chamber = bin.join("dev-chamber");
    let mut measure = Command::new(&chamber);
    measure
        .args(["measure", "--release", release, "--out"])
        .arg(&measurement)
        .arg(&chamber);
    if let Some(authority) = authority {
        measure.arg("--authority").arg(authority);
        // Any bytes give a PCR8: no certificate is looked into here.
        measure.arg("--certificate").arg(authority);
    }
    run(&mut measure)?;
    Ok(Image {
        name: format!("chamber.local/chamber:{release}"),
        entrypoint: &["/dev-chamber", "host"],
        files: vec![
            program(bin, "dev-chamber")?,
            read(&measurement, "/measurement.json")?,
        ],
    })
}

/// Debian's Prometheus with the libraries that it is linked with.
fn prometheus(bin: &Path) -> Result<Image> {
    const PROMETHEUS: &str = "/usr/bin/prometheus";
    let mut files = vec![read(Path::new(PROMETHEUS), PROMETHEUS)?];
    // Fails for a static program, which needs none.
    let linked = run(Command::new("ldd").arg(PROMETHEUS)).unwrap_or_default();
    let libraries = linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for library in libraries {
        files.push(read(Path::new(library), library)?);
    }
    // Debian's build has no Kubernetes discovery: a sidecar of the same image tells it the pods.
    files.push(program(bin, "pod-targets")?);
    Ok(Image {
        name: "chamber.local/prometheus:dev".into(),
        entrypoint: &[PROMETHEUS],
        files,
    })
}

/// The pause image, as the file that a node imports.
pub fn pause(tar: &Path) -> Result<()> {
    let program = tar.with_extension("bin");
    let mut rustc = Command::new("rustc");
    rustc
        .args([
            "-O",
            "-C",
            "target-feature=+crt-static",
            "--target",
            TARGET,
            "-o",
        ])
        .arg(&program)
        .arg("tests/cluster/pause.rs")
        .current_dir(paths::project());
    run(&mut rustc)?;
    let image = Image {
        name: PAUSE_IMAGE.into(),
        entrypoint: &["/pause"],
        files: vec![read(&program, "/pause")?],
    };
    image.write(tar).map(drop)
}

/// A program that cargo built, at the root of the image.
pub(crate) fn program(bin: &Path, name: &str) -> Result<ImageFile> {
    read(&bin.join(name), &format!("/{name}"))
}

pub(crate) fn read(file: &Path, path: &str) -> Result<ImageFile> {
    let content = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let executable = fs::metadata(file)?.permissions().mode() & 0o100 != 0;
    Ok(ImageFile {
        path: path.to_owned(),
        content,
        // Not the file's own: that follows the umask of who built it.
        mode: if executable { 0o755 } else { 0o644 },
    })
}

/// Builds packages statically and gives the folder of their programs.
pub(crate) fn cargo(packages: &[&str]) -> Result<PathBuf> {
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--target",
            TARGET,
        ])
        .current_dir(paths::project())
        // It would win over RUSTFLAGS.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    for package in packages {
        build.args(["-p", package]);
    }
    let status = build.status().context("starting cargo")?;
    if !status.success() {
        bail!("cargo build of {} failed", packages.join(", "));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let release = Path::new(&target).join(TARGET).join("release");
    Ok(paths::project().join(release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_mode_does_not_follow_the_umask() {
        let file = std::env::temp_dir().join(format!("cluster-mode-{}", std::process::id()));
        for (found, expected) in [(0o700, 0o755), (0o600, 0o644), (0o775, 0o755)] {
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(found)).unwrap();
            assert_eq!(read(&file, "/a").unwrap().mode, expected);
        }
        fs::remove_file(&file).unwrap();
        assert!(read(&file, "/a").is_err());
    }

    #[test]
    fn every_image_has_a_file_of_its_own() {
        assert_eq!(file_name("chamber.local/chamber:v1"), "chamber-v1.tar");
        assert_eq!(file_name(PAUSE_IMAGE), "pause-1.tar");
    }
}
