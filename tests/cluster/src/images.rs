//! The project's images, from static binaries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::configs::PAUSE_IMAGE;
use crate::oci::Image;
use crate::paths;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The releases of the demo's chamber: their measurements differ.
const RELEASES: [&str; 2] = ["v1", "v2"];

/// The images and the measurement files of the chamber's releases.
#[derive(Clone, Debug)]
pub struct Images {
    /// The folder of the tars, and of `chamber-<release>.measurement.json`.
    pub dir: PathBuf,
    /// Tars to load.
    pub tars: Vec<PathBuf>,
}

/// Builds every image but pause. Static: the images hold nothing else.
pub fn build_all() -> Result<Images> {
    let binaries = cargo(&[
        "chamber-operator",
        "kms-emulator",
        "dev-chamber",
        "pod-targets",
    ])?;
    let dir = binaries.join("images");
    fs::create_dir_all(&dir)?;
    let program = |name: &str| read(&binaries.join(name), format!("/{name}"));

    let mut operator = vec![program("chamber-operator")?];
    if Path::new(CERTIFICATES).exists() {
        operator.push((CERTIFICATES.to_owned(), fs::read(CERTIFICATES)?, 0o644));
    }
    let mut tars = Vec::new();
    let mut image = |file: &str, name: &str, entrypoint: &[&str], files| -> Result<()> {
        let tar = dir.join(file);
        Image {
            name,
            entrypoint,
            files,
        }
        .write(&tar)?;
        tars.push(tar);
        Ok(())
    };
    image(
        "chamber-operator.tar",
        "chamber.local/chamber-operator:dev",
        &["/chamber-operator", "run"],
        operator,
    )?;
    image(
        "kms-emulator.tar",
        "chamber.local/kms-emulator:dev",
        &["/kms-emulator"],
        vec![program("kms-emulator")?],
    )?;
    for release in RELEASES {
        let measurement = dir.join(format!("chamber-{release}.measurement.json"));
        let chamber = binaries.join("dev-chamber");
        let mut measure = Command::new(&chamber);
        measure
            .args(["measure", "--release", release, "--out"])
            .arg(&measurement)
            .arg(&chamber);
        run(&mut measure)?;
        let files = vec![
            program("dev-chamber")?,
            read(&measurement, "/measurement.json".into())?,
        ];
        let name = format!("chamber.local/chamber:{release}");
        image(
            &format!("chamber-{release}.tar"),
            &name,
            &["/dev-chamber", "host"],
            files,
        )?;
    }
    let mut monitoring = prometheus()?;
    // Debian's build has no Kubernetes discovery: a sidecar of the same image tells it the pods.
    monitoring.push(program("pod-targets")?);
    image(
        "prometheus.tar",
        "chamber.local/prometheus:dev",
        &["/usr/bin/prometheus"],
        monitoring,
    )?;
    Ok(Images { dir, tars })
}

/// Debian's Prometheus with the libraries that it is linked with.
fn prometheus() -> Result<Vec<(String, Vec<u8>, u32)>> {
    let mut files = vec![read(
        Path::new("/usr/bin/prometheus"),
        "/usr/bin/prometheus".into(),
    )?];
    let linked = run(Command::new("ldd").arg("/usr/bin/prometheus")).unwrap_or_default();
    for word in linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        files.push(read(Path::new(word), word.to_owned())?);
    }
    Ok(files)
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
    let files = vec![read(&program, "/pause".into())?];
    Image {
        name: PAUSE_IMAGE,
        entrypoint: &["/pause"],
        files,
    }
    .write(tar)
}

fn read(file: &Path, path: String) -> Result<(String, Vec<u8>, u32)> {
    let content = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let mode = fs::metadata(file)?.permissions().mode() & 0o755;
    Ok((path, content, mode))
}

/// Builds packages statically and gives the folder of their programs.
fn cargo(packages: &[&str]) -> Result<PathBuf> {
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
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    for package in packages {
        build.args(["-p", package]);
    }
    let status = build.status().context("starting cargo")?;
    if !status.success() {
        bail!("cargo build of {} failed", packages.join(", "));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| paths::project().join("target"));
    Ok(target.join(TARGET).join("release"))
}
