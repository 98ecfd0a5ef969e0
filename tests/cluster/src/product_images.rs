//! The images that users run: operator, command line, and chamber (host and enclave image file), as OCI tars.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::images::{Images, cargo, certificates, program, read};
use crate::oci::Image;
use crate::paths;

/// What `make eif` builds, and where a chamber has it.
const EIF: (&str, &str) = ("target/enclave/chamber.eif", "/chamber.eif");

/// One program that users run; its Dockerfile makes the same image.
struct Product {
    name: &'static str,
    package: &'static str,
    entrypoint: &'static [&'static str],
    /// It has an enclave image file beside it.
    boots: bool,
}

const PRODUCTS: [Product; 3] = [
    Product {
        name: "chamber-operator",
        package: "chamber-operator",
        entrypoint: &["/chamber-operator", "run"],
        boots: false,
    },
    Product {
        name: "kubectl-chamber",
        package: "kubectl-chamber",
        entrypoint: &["/kubectl-chamber"],
        boots: false,
    },
    Product {
        name: "chamber",
        package: "chamber-host",
        entrypoint: &["/chamber-host"],
        boots: true,
    },
];

/// Builds them into `target/images`. Without an enclave image file there is no image of a chamber.
pub fn build() -> Result<Images> {
    let bin = cargo(&PRODUCTS.map(|product| product.package))?;
    let dir = paths::project().join("target/images");
    fs::create_dir_all(&dir)?;
    let (mut tars, mut digests) = (Vec::new(), Vec::new());
    for product in PRODUCTS {
        if product.boots && !paths::project().join(EIF.0).exists() {
            eprintln!(
                "no image {}: {} is missing, make eif builds it",
                product.name, EIF.0
            );
            continue;
        }
        let image = product.image(&bin)?;
        let tar = dir.join(format!("{}.tar", product.name));
        let written = image.write(&tar).with_context(|| image.name.clone())?;
        digests.push((image.name, written));
        tars.push(tar);
    }
    Ok(Images { dir, tars, digests })
}

impl Product {
    fn image(&self, bin: &Path) -> Result<Image> {
        let mut files = vec![program(bin, self.package)?];
        if self.boots {
            files.push(read(&paths::project().join(EIF.0), EIF.1)?);
        }
        // For AWS and the API server; to KMS a chamber's enclave has roots of its own.
        let certificates = certificates()?;
        files.push(certificates.context("no certificates: install the package ca-certificates")?);
        Ok(Image {
            name: tagged(self.name),
            entrypoint: self.entrypoint,
            files,
        })
    }
}

/// `chamber:0.1.0`, the version of this build.
fn tagged(name: &str) -> String {
    format!("{name}:{}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::images::CERTIFICATES;
    use crate::oci::USER;

    const DOCKERFILES: [&str; 3] = [
        include_str!("../../../operator/Dockerfile"),
        include_str!("../../../operator/cli/Dockerfile"),
        include_str!("../../../enclave-image/Dockerfile"),
    ];

    #[test]
    fn each_dockerfile_makes_the_same_image() {
        for (product, dockerfile) in PRODUCTS.iter().zip(DOCKERFILES) {
            let (build, image) = dockerfile.split_once("\nFROM scratch\n").unwrap();
            let package = format!(" -p {} ", product.package);
            assert!(build.contains(&package), "{package}");
            assert!(build.contains("ARG TARGETARCH"), "{package}");
            let copied = image.lines().filter(|line| line.starts_with("COPY"));
            let copied: BTreeSet<_> = copied
                .filter_map(|line| line.split(' ').next_back())
                .collect();
            let program = format!("/{}", product.package);
            let mut expected = BTreeSet::from([program.as_str(), CERTIFICATES]);
            expected.extend(product.boots.then_some(EIF.1));
            assert_eq!(copied, expected, "{package}");
            let entrypoint = serde_json::to_string(product.entrypoint).unwrap();
            let entrypoint = entrypoint.replace("\",\"", "\", \"");
            let last = format!("USER {USER}\nENTRYPOINT {entrypoint}\n");
            assert!(image.ends_with(&last), "{last}");
            assert!(!product.boots || image.contains(&format!(" {} ", EIF.0)));
        }
    }
}
