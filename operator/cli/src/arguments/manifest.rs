//! The command line of `manifest`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use measurement::Pcr;

use super::{Connection, Output};

/// What to do with a cluster manifest.
#[derive(Subcommand)]
pub enum ManifestVerb {
    /// Prints the manifest that a ChamberCluster needs, to be signed: a seal permit where nothing is sealed, a run manifest where a blob is.
    #[command(
        after_help = "For a run manifest the blob is judged first. Its commitment has to be status.commitment, where there is one; it has to be sealed under the seal permit in spec.manifest, where there is one; and its sealing document has to verify. A blob that does not show that an authority allowed its sealing (of format 1, or sealed without a permit) is refused: compare its commitment with the tag chamber.dev/commitment on keys whose holders you trust and with what was recorded at the first seal, and give it with --commitment. Digest and PCR16 are told on standard error. Who may seal is by default the pcr8 of spec.release.measurement, or its imageSha384 where it has none.\n\nExit status: 0 rendered, 1 the blob is not one to sign for, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber manifest render signer -n signing > manifest.yaml\n  kubectl chamber manifest render -f chambercluster.yaml\n  kubectl chamber manifest render -f chambercluster.yaml --blob blob.txt -o body > body.bin\n  kubectl chamber manifest render -f chambercluster.yaml --blob blob.txt --commitment $COMMITMENT"
    )]
    Render(Box<Render>),
    /// Adds an authority's signature to the manifest in a file.
    #[command(
        after_help = "The file is what render prints, or YAML with a ChamberCluster. A signature of the same authority is replaced; the digest does not change. A run manifest in a ChamberCluster whose status.commitment is another one is not signed. A private key is a file of PKCS#8 (`openssl genpkey -algorithm ED25519`), or stays in KMS, which is asked with your own credentials (kms:GetPublicKey, kms:Sign).\n\nExit status: 0 signed, 1 the manifest is not one to sign, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber manifest sign -f manifest.yaml --key authority.key\n  kubectl chamber manifest sign -f chambercluster.yaml --kms-key arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab --in-place"
    )]
    Sign(Sign),
    /// Tells whether an authority signed the manifest in a file, and whether a sealed blob fits it.
    #[command(
        after_help = "A blob that does not show that an authority allowed its sealing (of format 1, or sealed without a permit) needs --commitment, with a value that you compared with the tag chamber.dev/commitment on keys whose holders you trust and with what was recorded at the first seal.\n\nExit status: 0 verified, 1 not verified, or the blob does not fit or shows no permit, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber manifest verify -f chambercluster.yaml --authority authority.pub\n  kubectl chamber manifest verify -f manifest.yaml --authority a.pub --authority b.pub --blob blob.txt --measurement $PCR0"
    )]
    Verify(Verify),
}

/// What is rendered, and for whom.
#[derive(Args)]
pub struct Render {
    /// Name of the ChamberCluster, which is read from its cluster with the sealed blob.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub name: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
    /// YAML with a ChamberCluster, in place of asking a cluster; - for standard input.
    #[arg(short, long)]
    pub file: Option<String>,
    /// The sealed blob, as in the key `blob` of its Secret.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub blob: Option<String>,
    /// What the blob is bound to, where it is not spec.release: PCR0, or several as PCR0=...,PCR8=...
    #[arg(long, requires = "blob")]
    pub measurement: Option<String>,
    /// The commitment that you compared: the blob has to have it. Needed for one that shows no seal permit.
    #[arg(long, value_name = "HEX", value_parser = commitment)]
    pub commitment: Option<[u8; 32]>,
    /// PCR8 of a certificate whose images may seal; may be given more than once.
    #[arg(long, value_name = "PCR8")]
    pub signer: Vec<Pcr>,
    /// PCR0 of an image that may seal; may be given more than once.
    #[arg(long, value_name = "PCR0")]
    pub sealing_image: Vec<Pcr>,
    /// Digest of the manifest of the generation before, where the file or the cluster does not have it.
    #[arg(long, value_name = "DIGEST")]
    pub previous: Option<Pcr>,
    /// The root that sealing documents chain to, PEM; without it AWS's.
    #[arg(long, value_name = "PEM")]
    pub root: Option<String>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = ManifestForm::Yaml)]
    pub output: ManifestForm,
}

/// What is signed, and with which key.
#[derive(Args)]
pub struct Sign {
    /// The file with the manifest; - for standard input.
    #[arg(short, long)]
    pub file: String,
    /// Whose key signs.
    #[command(flatten)]
    pub signing: SigningKey,
    /// Writes the file, in place of printing.
    #[arg(long)]
    pub in_place: bool,
}

/// One private key.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct SigningKey {
    /// A private key in a file: PKCS#8 PEM, Ed25519 or P-384.
    #[arg(long, value_name = "PEM")]
    pub key: Option<PathBuf>,
    /// A private key in KMS: its key spec is `ECC_NIST_P384` or `ECC_NIST_EDWARDS25519`.
    #[arg(long, value_name = "ARN")]
    pub kms_key: Option<String>,
}

/// What is verified, and against whom.
#[derive(Args)]
pub struct Verify {
    /// The file with the manifest; - for standard input.
    #[arg(short, long)]
    pub file: String,
    /// Public key of an authority, PEM; may be given more than once.
    #[arg(long, value_name = "PEM", required = true)]
    pub authority: Vec<String>,
    /// The sealed blob, as in the key `blob` of its Secret.
    #[arg(long, value_name = "FILE")]
    pub blob: Option<String>,
    /// What the blob is bound to, where the file does not say: PCR0, or several as PCR0=...,PCR8=...
    #[arg(long, requires = "blob")]
    pub measurement: Option<String>,
    /// The commitment that you compared: the blob has to have it. Needed for one that shows no seal permit.
    #[arg(long, value_name = "HEX", requires = "blob", value_parser = commitment)]
    pub commitment: Option<[u8; 32]>,
    /// The root that sealing documents chain to, PEM; without it AWS's.
    #[arg(long, value_name = "PEM")]
    pub root: Option<String>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// Forms of a manifest.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum ManifestForm {
    /// YAML, to be put under spec.
    Yaml,
    /// The same as JSON.
    Json,
    /// The bytes that are signed, for a signer of your own.
    Body,
}

pub(super) fn commitment(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|why| format!("{why}; give 64 hex characters, as the tag on the keys has them"))?;
    Ok(bytes)
}
