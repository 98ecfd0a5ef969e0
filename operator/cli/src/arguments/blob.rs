//! The command line of `blob`.

use clap::{Args, Subcommand};

use super::{Connection, Output, manifest};

/// What to do with a cluster's sealed blob.
#[derive(Subcommand)]
pub enum BlobVerb {
    /// Prints a copy of the sealed blob, with the cluster manifest, to be kept elsewhere.
    #[command(
        after_help = "The copy is a Secret of Kubernetes. It holds KMS ciphertext and what is public, nothing that has to be hidden; whoever has it, and enough of the keys, has the master key. A blob of another cluster, of other keys or with another commitment than status.commitment is refused.\n\nExit status: 0 printed, 1 the blob is not this cluster's, 2 unreadable or used wrongly.\n\nExample:\n  kubectl chamber blob export signer -n signing > signer.blob.yaml"
    )]
    Export(Export),
    /// Puts a copy back, as the Secret that the ChamberCluster's release needs.
    #[command(
        after_help = "The ChamberCluster has to be there: the blob is bound to spec.release, and its cluster id, keys, threshold and commitment have to be the ChamberCluster's. A blob without a commitment to compare it with (no status.commitment, and no run manifest in spec.manifest) needs --commitment. A Secret that is there is never overwritten.\n\nExit status: 0 the Secret is there, 1 the blob is not this cluster's or another Secret is in its place, 2 unreadable or used wrongly.\n\nExample:\n  kubectl chamber blob import signer -n signing -f signer.blob.yaml"
    )]
    Import(Import),
    /// Tells what a copy is worth: whose it is, who sealed it, and whether today's keys still open it.
    #[command(
        after_help = "Keys are read from KMS with your own credentials (kms:DescribeKey, kms:GetKeyPolicy); nothing is decrypted. A key counts as open where it is enabled and its policy lets the enclave role decrypt with the attestation of --measurement, or of the release that the copy is bound to; one that depends on what a policy does not show does not count.\n\nExit status: 0 enough keys open it (with --offline: it is whole), 1 they do not, or its sealing does not verify, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber blob verify signer.blob.yaml\n  kubectl chamber blob verify signer.blob.yaml --measurement $PCR0 -o json\n  kubectl chamber blob verify signer.blob.yaml --offline"
    )]
    Verify(Verify),
    /// Prints the cluster manifest in a copy with its signatures, as it stands under spec of a ChamberCluster.
    #[command(
        after_help = "It is printed as it is: `manifest verify` tells who signed it. Of several Secrets it is the run manifest of the blob, and the seal permit where there is none.\n\nExit status: 0 printed, 1 the copy has none, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber blob manifest signer.blob.yaml > manifest.yaml\n  kubectl chamber blob manifest signer.blob.yaml | kubectl chamber manifest verify -f - --authority authority.pub"
    )]
    Manifest(CopiedManifest),
}

/// Whose blob is copied.
#[derive(Args)]
pub struct Export {
    /// Name of the ChamberCluster.
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
}

/// What is put back, and where.
#[derive(Args)]
pub struct Import {
    /// Name of the ChamberCluster.
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
    /// The copy: what export printed, or Secrets as kubectl prints them; - for standard input.
    #[arg(short, long)]
    pub file: String,
    /// What the copy is bound to, where it does not say: PCR0, or several as PCR0=...,PCR8=...
    #[arg(long)]
    pub measurement: Option<String>,
    /// The commitment that you compared: the blob has to have it.
    #[arg(long, value_name = "HEX", value_parser = manifest::commitment)]
    pub commitment: Option<[u8; 32]>,
}

/// What is judged, and by what.
#[derive(Args)]
pub struct Verify {
    /// The copy: what export printed, or Secrets as kubectl prints them; - for standard input.
    pub file: String,
    /// The release that is to open it, where it is not the one that the copy is bound to: PCR0, or several as PCR0=...,PCR8=...
    #[arg(long)]
    pub measurement: Option<String>,
    /// Account of the enclave role; without it that of each key.
    #[arg(long, value_parser = super::policy::account)]
    pub role_account: Option<String>,
    /// Asks no key.
    #[arg(long)]
    pub offline: bool,
    /// The root that sealing documents chain to, PEM; without it AWS's.
    #[arg(long, value_name = "PEM")]
    pub root: Option<String>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// The copy that a manifest is taken out of.
#[derive(Args)]
pub struct CopiedManifest {
    /// The copy: what export printed, or Secrets as kubectl prints them; - for standard input.
    pub file: String,
    /// What the copy is bound to, where it does not say: PCR0, or several as PCR0=...,PCR8=...
    #[arg(long)]
    pub measurement: Option<String>,
}
