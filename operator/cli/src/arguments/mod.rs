//! The command line.

mod attestation;
mod blob;
mod cluster;
mod connection;
mod key;
mod manifest;
mod policy;

use clap::{Parser, Subcommand, ValueEnum};

pub use attestation::{Asked, AttestationVerb, Nonce};
pub use blob::{BlobVerb, CopiedManifest, Export, Import, Verify as VerifyBlob};
pub use cluster::{Awaited, Bundle, ClusterVerb, Listed, Planned, Revocation, Shown, SupportVerb};
pub use connection::{Connection, Target};
pub use key::{Create as CreateKey, KeyVerb};
pub use manifest::{ManifestForm, ManifestVerb, Render, Sign, SigningKey, Verify};
pub use policy::{Cluster, Format, PolicyVerb, Question, Report};

/// Who can decrypt: key policies and enclave images, told and compared.
#[derive(Parser)]
#[command(
    name = "kubectl-chamber",
    bin_name = "kubectl chamber",
    version,
    after_help = "Exit status: 0 clean or notes only, 1 a warning or an error was found, 2 could not be read or used wrongly.\n\nExamples:\n  kubectl chamber status signer -n signing --watch\n  kubectl chamber plan signer -n signing\n  kubectl chamber policy lint policy.json\n  kubectl chamber describe-eif enclave.eif\n  kubectl chamber attestation verify document.cbor"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Subcommand)]
pub enum Verb {
    /// Key policies in files: lint, explain, diff, render.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Attestation documents of enclaves: verify.
    #[command(subcommand)]
    Attestation(AttestationVerb),
    /// Cluster manifests: what an offline authority signs of a cluster's keys.
    #[command(subcommand)]
    Manifest(ManifestVerb),
    /// Keys that wrap shares: create, restore.
    #[command(subcommand)]
    Key(KeyVerb),
    /// Copies of a sealed blob: export, import, verify, manifest.
    #[command(subcommand)]
    Blob(BlobVerb),
    /// A ChamberCluster: its picture, and what a person can ask for.
    #[command(flatten)]
    Cluster(ClusterVerb),
    /// For whoever is asked for help: bundle.
    #[command(subcommand)]
    Support(SupportVerb),
    /// Prints the script that a shell, or kubectl, completes the command line with.
    #[command(
        after_help = "With the script of `kubectl` on the PATH, as a program `kubectl_complete-chamber`, every shell that completes kubectl's own verbs completes these, too.\n\nExit status: 0 printed, 2 used wrongly.\n\nExamples:\n  kubectl chamber completion kubectl > ~/.local/bin/kubectl_complete-chamber && chmod +x ~/.local/bin/kubectl_complete-chamber\n  source <(kubectl-chamber completion bash)"
    )]
    Completion {
        /// Whose.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// What may come next on the command line: for kubectl.
    #[command(hide = true, disable_help_flag = true)]
    Complete {
        /// The words after `kubectl chamber`, the last one unfinished.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Prints an enclave image's measurements, as nitro-cli does.
    #[command(
        after_help = "The signature is not verified: the hypervisor does that.\n\nExit status: 0 printed, 1 the checksum is wrong, 2 unreadable or used wrongly.\n\nExample:\n  kubectl chamber describe-eif enclave.eif | jq -r .Measurements.PCR0"
    )]
    DescribeEif {
        /// The image file, or - for standard input.
        file: String,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Json)]
        output: Output,
    },
}

/// Forms of an answer.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Output {
    /// For people.
    #[value(alias = "text")]
    Human,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Who completes a command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    /// bash, for `kubectl-chamber` itself.
    Bash,
    /// kubectl, for `kubectl chamber` in every shell.
    Kubectl,
}
