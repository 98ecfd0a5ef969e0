//! A cluster, authorities, and sealed blobs with documents of a test root.

use std::path::PathBuf;
use std::process::Command;

use attestation::Claims;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster_manifest::Digest;
use measurement::{Measurement, Pcr};
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use sealed_blob::{InnerBlob, Origin, SealedShare, bind};

use crate::{Run, chamber};

/// YAML as people keep it; its release has PCR0 1a..1a and PCR8 8a..8a.
pub const CLUSTER: &str = "# Who signs is in the runbook.
apiVersion: chamber.dev/v1alpha1
kind: ChamberCluster
metadata: { name: signer, namespace: chambers }
spec:
  clusterId: test-local-signer # never used twice
  release:
    image: i
    measurement:
      imageSha384: &image 1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a
      pcr8: 8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a8a
  keys:
    threshold: 2
    shares:
      - { name: a, arn: 'arn:aws:kms:us-east-1:111122223333:key/a', management: Observed }
      - { name: b, arn: 'arn:aws:kms:us-east-1:111122223333:key/b', management: Observed }
  verification: { prometheus: { url: http://p } }
";

pub const IMAGE: u8 = 0x1a;
pub const SIGNER: u8 = 0x8a;

/// A folder that goes with its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let name = format!("kubectl-chamber-manifest-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A private key with its public half, both PEM in files of this name.
pub struct Keys {
    pub private: String,
    pub public: String,
}

pub fn ed25519(folder: &Folder, name: &str) -> Keys {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.as_ref()).unwrap();
    let public = pair.public_key().as_ref();
    written(
        folder,
        name,
        pkcs8.as_ref(),
        "302a300506032b6570032100",
        public,
    )
}

pub fn p384(folder: &Folder, name: &str) -> Keys {
    let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
    let prefix = "3076301006072a8648ce3d020106052b81040022036200";
    written(
        folder,
        name,
        pkcs8.as_ref(),
        prefix,
        pair.public_key().as_ref(),
    )
}

fn written(folder: &Folder, name: &str, pkcs8: &[u8], prefix: &str, public: &[u8]) -> Keys {
    let spki = [hex::decode(prefix).unwrap().as_slice(), public].concat();
    Keys {
        private: folder.write(&format!("{name}.key"), pem("PRIVATE KEY", pkcs8)),
        public: folder.write(&format!("{name}.pub"), pem("PUBLIC KEY", &spki)),
    }
}

pub fn pem(tag: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(tag, der))
}

/// The blob of `CLUSTER`, of format 1.
pub fn inner() -> InnerBlob {
    let share = |id: &str| SealedShare {
        key_arn: format!("arn:aws:kms:us-east-1:111122223333:key/{id}"),
        ciphertext: b"ciphertext".to_vec(),
    };
    InnerBlob {
        cluster_id: "test-local-signer".into(),
        generation: 1,
        threshold: 2,
        shares: vec![share("a"), share("b")],
        commitment: [0xc0; 32],
        origin: None,
    }
}

/// Hex of the blob's commitment.
pub fn commitment() -> String {
    "c0".repeat(32)
}

/// `CLUSTER` with this manifest, as render prints it, under its spec.
pub fn with_manifest(fragment: &str) -> String {
    let lines = fragment.lines();
    let indented: String = lines.flat_map(|line| ["  ", line, "\n"]).collect();
    format!("{CLUSTER}{indented}")
}

/// The blob as the release's own enclave seals it, under this permit where one is given.
pub fn sealed(root: &TestRoot, permit: Option<Digest>) -> InnerBlob {
    let mut inner = inner();
    inner.origin = Some(Origin {
        manifest: permit.map(|digest| *digest.as_bytes()),
        document: vec![0],
    });
    let core = *Digest::of(&inner.core().unwrap()).as_bytes();
    let pcrs = [(0, [IMAGE; 48]), (8, [SIGNER; 48])];
    let nsm = NsmEmulator::new(root.issue_signer().unwrap(), pcrs.into());
    if let Some(digest) = permit {
        nsm.extend(16, digest.as_bytes()).unwrap();
        nsm.lock(16).unwrap();
    }
    let request = AttestRequest {
        user_data: Some(Claims::Seal { core }.encode().unwrap()),
        ..AttestRequest::default()
    };
    inner.origin.as_mut().unwrap().document = nsm.attest(&request).unwrap();
    inner
}

/// The release of `CLUSTER`.
pub fn release() -> Measurement {
    Measurement {
        image_sha384: Pcr::from_bytes([IMAGE; 48]),
        registers: [(8, Pcr::from_bytes([SIGNER; 48]))].into(),
    }
}

/// The same as `--measurement` takes it.
pub fn release_text() -> String {
    let (image, signer) = (hex::encode([IMAGE; 48]), hex::encode([SIGNER; 48]));
    format!("PCR0={image},PCR8={signer}")
}

/// The blob's text in its Secret, bound to the release of `CLUSTER`.
pub fn text(inner: &InnerBlob) -> String {
    BASE64.encode(bind(inner, &release()).unwrap())
}

/// `manifest verify` of a file, which has to be signed well by this authority.
pub fn verified(file: &str, public: &str) -> Run {
    ends(
        0,
        &["manifest", "verify", "-f", file, "--authority", public],
    )
}

/// `manifest sign` of a file with this key.
pub fn signed(file: &str, private: &str) -> Run {
    ends(0, &["manifest", "sign", "-f", file, "--key", private])
}

/// The same, written into the file.
pub fn signed_in_place(file: &str, private: &str) -> Run {
    let sign = ["manifest", "sign", "-f", file, "--key", private];
    ends(0, &[&sign[..], &["--in-place"]].concat())
}

/// The program's answer, which must end with this status.
pub fn ends(status: i32, arguments: &[&str]) -> Run {
    let run = chamber(arguments, "");
    assert_eq!(run.status, status, "{arguments:?}: {}{}", run.out, run.err);
    run
}

/// What the run told of a manifest on standard error: `digest` or `PCR16`.
pub fn told(run: &Run, name: &str) -> String {
    let mut lines = run.err.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .next()
        .unwrap_or_else(|| panic!("{}", run.err))
        .trim()
        .to_owned()
}

/// Whether there is an openssl to compare with; `SKIP_NOTHING`, which `make test` sets, demands it.
pub fn has_openssl() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    if !found {
        let demanded = std::env::var_os("SKIP_NOTHING").is_some();
        assert!(!demanded, "there is no openssl on this machine");
        eprintln!("skipped: there is no openssl on this machine");
    }
    found
}

/// Runs openssl in a folder; gives its standard output.
pub fn openssl(folder: &Folder, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl")
        .current_dir(&folder.0)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

/// Runs one line in a shell in a folder, with these variables.
pub fn shell(folder: &Folder, line: &str, variables: &[(&str, &str)]) -> Run {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(&folder.0)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Run {
        status: output.status.code().unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
