//! Images of chambers whose enclaves are emulated: host, QEMU and an enclave image file with the signer of the demo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::images::{AUTHORITY, Images, folder, program, programs, read};
use crate::oci::{Image, ImageFile};
use crate::{paths, pki};

/// The releases: their measurements differ.
const RELEASES: [&str; 2] = ["v1", "v2"];
/// The roots that these enclaves believe in place of AWS's.
const ROOTS: [&str; 2] = ["nsm-root.pem", "kms-root.pem"];
/// How the signer runs in an enclave: see docs/enclave-image.md.
const WORKLOAD: &str =
    r#"{"args": ["signer", "--workload", "127.0.0.1:9000", "--key-descriptor", "3"]}"#;
/// An image of the size that users have: the documentation's example in place of the signer with all its tools.
const SMALL: &str = "small";
/// The small image, signed, and measuring the authority of the tests: its chambers do what a manifest says.
const TRUST: &str = "trust";
/// An image whose workload tries what it must not be able to do.
const PRYING: &str = "prying";
/// An image with the production agent, which believes AWS's roots: no key opens for it here.
const PRODUCTION: &str = "production";
/// The workload of docs/enclave-image.md.
const EXAMPLE: &str = "enclave-image/examples/signer.go";
const PRYING_SOURCE: &str = "tests/emulated-chamber/workloads/prying.go";

/// What was built.
#[derive(Clone, Debug)]
pub struct EnclaveImages {
    /// Container images of chambers; their folder has the enclave image files, too.
    pub images: Images,
    /// The folder with QEMU.
    pub qemu: PathBuf,
    /// The program with the devices that QEMU does not have.
    pub devices: PathBuf,
}

/// The two releases as emulated enclaves; the error says what an emulated enclave needs and this machine does not have.
pub fn build() -> Result<EnclaveImages> {
    let kernel = script("enclave-image/kernel/build.sh")?;
    let qemu = script("tests/enclave-sim/qemu.sh")?;
    let bin = programs()?;
    let dir = folder(&bin)?;
    for made in ["roots", "authority"] {
        let mut make = Command::new(bin.join("dev-chamber"));
        run(make.args([made, "--out"]).arg(&dir))?;
    }
    let (mut tars, mut digests) = (Vec::new(), Vec::new());
    let signer = bin.join("dev-chamber");
    for (name, source) in [
        (SMALL, EXAMPLE),
        (TRUST, EXAMPLE),
        (PRODUCTION, EXAMPLE),
        (PRYING, PRYING_SOURCE),
    ] {
        let workload = go(&dir, source)?;
        eif(&bin, &dir, name, &kernel, (&workload, "{}"))?;
    }
    for release in RELEASES {
        let eif = eif(&bin, &dir, release, &kernel, (&signer, WORKLOAD))?;
        let mut files = vec![
            program(&bin, "emulated-host")?,
            program(&bin, "enclave-sim")?,
            read(&eif, "/chamber.eif")?,
            // For the demo's probes and its client: they are processes that call themselves this image.
            program(&bin, "dev-chamber")?,
            read(&measurement(&dir, release), "/measurement.json")?,
        ];
        tree(&qemu, "/qemu", &mut files)?;
        let image = Image {
            name: format!("chamber.local/enclave:{release}"),
            entrypoint: &["/emulated-host"],
            files,
        };
        let tar = dir.join(format!("enclave-{release}.tar"));
        digests.push((image.name.clone(), image.write(&tar)?));
        tars.push(tar);
    }
    Ok(EnclaveImages {
        images: Images { dir, tars, digests },
        qemu,
        devices: bin.join("enclave-sim"),
    })
}

/// The measurement file of a release, as the process form has one.
fn measurement(dir: &Path, release: &str) -> PathBuf {
    dir.join(format!("enclave-{release}.measurement.json"))
}

/// Runs a script of the project; what it made is its last line.
fn script(path: &str) -> Result<PathBuf> {
    let mut bash = Command::new("bash");
    bash.arg(path).current_dir(paths::project());
    let said = run(&mut bash).with_context(|| path.to_owned())?;
    let made = said.lines().last();
    Ok(made
        .with_context(|| format!("{path} printed nothing"))?
        .into())
}

/// A workload in Go, built as docs/enclave-image.md does it.
fn go(dir: &Path, source: &str) -> Result<PathBuf> {
    let name = Path::new(source).file_stem();
    let program = dir.join(name.with_context(|| format!("{source} names no file"))?);
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"]).arg(&program);
    go.arg(source);
    run(go.env("CGO_ENABLED", "0").current_dir(paths::project()))?;
    Ok(program)
}

/// The enclave image file of a release, with its measurements beside it: a workload, and how it runs.
fn eif(
    bin: &Path,
    dir: &Path,
    release: &str,
    kernel: &Path,
    (workload, config): (&Path, &str),
) -> Result<PathBuf> {
    let files = dir.join(format!("enclave-{release}"));
    let etc = files.join("etc/chamber");
    fs::create_dir_all(&etc)?;
    fs::write(etc.join("workload.json"), config)?;
    fs::write(files.join("etc/release"), release)?;
    let agent = if release == PRODUCTION {
        "unseal-agent"
    } else {
        for root in ROOTS {
            fs::copy(dir.join(root), etc.join(root))?;
        }
        "emulated-agent"
    };
    let eif = dir.join(format!("enclave-{release}.eif"));
    let mut build = Command::new(bin.join("eif-build"));
    build.arg("--kernel").arg(kernel);
    build.arg("--init").arg(bin.join(agent));
    build.arg("--workload").arg(workload);
    build.arg("--files").arg(&files);
    if release == TRUST {
        let [key, certificate] = pki::image_signer(dir)?;
        build.arg("--authorities").arg(dir.join(AUTHORITY));
        build.arg("--sign-key").arg(key);
        build.arg("--sign-cert").arg(certificate);
    }
    build.arg("--out").arg(&eif);
    let measurements = dir.join(format!("enclave-{release}.measurements.json"));
    build.arg("--measurements").arg(&measurements);
    run(&mut build)?;
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&measurements)?)?;
    fs::write(measurement(dir, release), told["Release"].to_string())?;
    Ok(eif)
}

/// All files of a folder, below `path` in the image.
fn tree(folder: &Path, path: &str, files: &mut Vec<ImageFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
    // Equal content gives equal bytes.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let inside = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            tree(&entry.path(), &inside, files)?;
        } else {
            files.push(read(&entry.path(), &inside)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_with_what_is_below_in_one_order() {
        let dir = std::env::temp_dir().join(format!("cluster-tree-{}", std::process::id()));
        fs::create_dir_all(dir.join("lib")).unwrap();
        for file in ["b", "a", "lib/c"] {
            fs::write(dir.join(file), file).unwrap();
        }
        let mut files = Vec::new();
        tree(&dir, "/qemu", &mut files).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["/qemu/a", "/qemu/b", "/qemu/lib/c"]);
        assert_eq!(files[2].content, b"lib/c");
    }
}
