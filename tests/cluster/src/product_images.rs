//! The images that users run: operator, command line, and chamber (host and enclave image file), as OCI tars.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::images::{Images, cargo, certificates, program, read};
use crate::oci::Image;
use crate::paths;

const PACKAGES: [&str; 3] = ["chamber-operator", "kubectl-chamber", "chamber-host"];
/// What `make eif` builds.
const EIF: &str = "target/enclave/chamber.eif";

/// Builds them into `target/images`. Without an enclave image file there is no image of a chamber.
pub fn build() -> Result<Images> {
    let bin = cargo(&PACKAGES)?;
    let dir = paths::project().join("target/images");
    fs::create_dir_all(&dir)?;
    let mut images = vec![operator(&bin)?, command_line(&bin)?];
    let eif = paths::project().join(EIF);
    if eif.exists() {
        images.push(chamber(&bin, &eif)?);
    } else {
        eprintln!("no image of a chamber: {EIF} is missing, make eif builds it");
    }
    let (mut tars, mut digests) = (Vec::new(), Vec::new());
    for image in images {
        let tar = tar_in(&dir, &image.name);
        let written = image.write(&tar).with_context(|| image.name.clone())?;
        digests.push((image.name, written));
        tars.push(tar);
    }
    Ok(Images { dir, tars, digests })
}

fn operator(bin: &Path) -> Result<Image> {
    let mut files = vec![program(bin, "chamber-operator")?];
    files.extend(certificates()?);
    Ok(Image {
        name: tagged("chamber-operator"),
        entrypoint: &["/chamber-operator", "run"],
        files,
    })
}

fn command_line(bin: &Path) -> Result<Image> {
    let mut files = vec![program(bin, "kubectl-chamber")?];
    files.extend(certificates()?);
    Ok(Image {
        name: tagged("kubectl-chamber"),
        entrypoint: &["/kubectl-chamber"],
        files,
    })
}

fn chamber(bin: &Path, eif: &Path) -> Result<Image> {
    let mut files = vec![program(bin, "chamber-host")?, read(eif, "/chamber.eif")?];
    // For STS, where the pod's credentials come from; KMS is the enclave's business, and it has roots of its own.
    files.extend(certificates()?);
    Ok(Image {
        name: tagged("chamber"),
        entrypoint: &["/chamber-host"],
        files,
    })
}

/// `chamber:0.1.0`, the version of this build.
fn tagged(name: &str) -> String {
    format!("{name}:{}", env!("CARGO_PKG_VERSION"))
}

fn tar_in(dir: &Path, image: &str) -> PathBuf {
    let name = image.split(':').next().unwrap_or(image);
    dir.join(format!("{name}.tar"))
}
