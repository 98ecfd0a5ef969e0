//! The command line.

mod attestation;
mod blob;
mod key;
mod manifest;
mod policy;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use measurement::Pcr;

pub use attestation::{Asked, AttestationVerb, Nonce};
pub use blob::{BlobVerb, Export, Import, Verify as VerifyBlob};
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
    /// Copies of a sealed blob: export, import, verify.
    #[command(subcommand)]
    Blob(BlobVerb),
    /// A ChamberCluster: its picture, and what a person can ask for.
    #[command(flatten)]
    Cluster(ClusterVerb),
    /// What may come next on the command line: for kubectl.
    #[command(hide = true, disable_help_flag = true)]
    Complete {
        /// The words after `kubectl chamber`, the last one unfinished.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Prints an enclave image's measurements, as nitro-cli does.
    #[command(
        after_help = "The signature is not verified: the hypervisor does that.\n\nExample:\n  kubectl chamber describe-eif enclave.eif | jq -r .Measurements.PCR0"
    )]
    DescribeEif {
        /// The image file, or - for standard input.
        file: String,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Json)]
        output: Output,
    },
}

/// What to do with a `ChamberCluster`.
#[derive(Subcommand)]
pub enum ClusterVerb {
    /// Shows one picture of a rollover: step, keys, chambers, what it waits for.
    #[command(
        after_help = "Exit status 1 where a person has to do something (condition Stalled).\n\nExamples:\n  kubectl chamber status signer -n signing --watch\n  kubectl chamber status -A"
    )]
    Status {
        /// Name of the ChamberCluster; without it all of the namespace.
        name: Option<String>,
        /// All of all namespaces.
        #[arg(short = 'A', long, conflicts_with = "name")]
        all_namespaces: bool,
        /// Where it is.
        #[command(flatten)]
        connection: Connection,
        /// Follows it until Ctrl-C.
        #[arg(short, long, conflicts_with_all = ["output", "all_namespaces"], requires = "name")]
        watch: bool,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Waits until the spec's release runs, verified and alone.
    #[command(
        after_help = "It is settled once every chamber was verified on spec.release and no key admits another (condition RolloverComplete), for the spec as it is now. It ends at once where a person has to do something (condition Stalled), or where the release has failed and the one before runs; it waits through pauses, and for key holders.\n\nExit status: 0 settled, 1 stalled, failed or the time is over, 2 could not be asked.\n\nExample:\n  kubectl apply -f release.yaml && kubectl chamber wait signer -n signing --timeout 30m"
    )]
    Wait {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
        /// How long: 90s, 30m, 1h30m.
        #[arg(long, default_value = "1h")]
        timeout: SignedDuration,
    },
    /// Shows what a rollover would change in each key's policy, and who may then do what.
    #[command(
        after_help = "Key policies are read from KMS with your own credentials (kms:GetKeyPolicy, DescribeKey, ListResourceTags; ListKeyPolicies and ListGrants where you may), or from files; of a key that you may not read, only that is told. Nothing is changed.\nExit status 1 where a rollover would not begin, and why is said; 2 where one of several could not be read.\n\nExamples:\n  kubectl chamber plan signer -n signing\n  kubectl chamber plan -A\n  kubectl chamber plan signer -n signing --file new-release.yaml\n  kubectl chamber plan signer -n signing --policies ./policies   # a.json, b.json, ... by the names of spec.keys.shares\n  kubectl chamber plan signer -n signing --document c > c.json"
    )]
    Plan {
        /// Name of the ChamberCluster; without it all of the namespace.
        name: Option<String>,
        /// All of all namespaces.
        #[arg(short = 'A', long, conflicts_with = "name")]
        all_namespaces: bool,
        /// Where it is.
        #[command(flatten)]
        connection: Connection,
        /// A manifest whose spec is planned for, as if it were applied; - for standard input.
        #[arg(short, long, conflicts_with = "all_namespaces", requires = "name")]
        file: Option<String>,
        /// A folder with <share name>.json for each key, in place of KMS.
        #[arg(long, conflicts_with = "all_namespaces", requires = "name")]
        policies: Option<PathBuf>,
        /// Prints the policy that the key of this share is to hold now, as JSON: what its holder is asked for.
        #[arg(long, value_name = "SHARE", conflicts_with_all = ["output", "file", "all_namespaces"], requires = "name")]
        document: Option<String>,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Stops before the next action; what is under way is ended.
    #[command(after_help = "Example:\n  kubectl chamber pause signer -n signing")]
    Pause {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Goes on after a pause.
    #[command(after_help = "Example:\n  kubectl chamber resume signer -n signing")]
    Resume {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Leaves the target of a rollover and returns to the release before.
    #[command(
        after_help = "Exit status 1 where the operator refuses: after Retire has begun the only way is forward.\n\nExample:\n  kubectl chamber abort signer -n signing"
    )]
    Abort {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Tries again what failed.
    #[command(after_help = "Example:\n  kubectl chamber retry signer -n signing")]
    Retry {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Gives a revocation up: the image may be admitted again.
    #[command(
        after_help = "Example:\n  kubectl chamber unrevoke signer -n signing --image $PCR0 --reason 'a false alarm'"
    )]
    Unrevoke(Revocation),
    /// Takes an image out of every policy at once, for good, even if chambers run it.
    #[command(
        after_help = "Chambers of that image stay sealed once they restart. Exit status 1 where the operator refuses, or where a key still admits the image after half a minute. Where every chamber runs it, it asks first, and without a terminal needs --yes. `kubectl chamber unrevoke` gives it up.\n\nExample:\n  kubectl chamber revoke signer -n signing --image $PCR0 --reason 'key leak, incident 7'"
    )]
    Revoke {
        /// Which image, and why.
        #[command(flatten)]
        asked: Revocation,
        /// Does not ask where every chamber runs this image.
        #[arg(short, long)]
        yes: bool,
    },
    /// Takes over the keys of another owner: a namespace made anew, a restore, a move to another cluster.
    #[command(
        after_help = "The keys' holders decide: the trust policies of their roles must name this cluster's external id first (status.externalId). Where the other owner still runs, pause it before; it stops with KeyOwnedByAnother afterwards. Exit status 1 where no key has that owner's tags.\n\nExample:\n  kubectl chamber transfer signer -n signing --from \"$OWNER\""
    )]
    Transfer {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
        /// The owner as the message of `KeyOwnedByAnother` names it.
        #[arg(long)]
        from: String,
    },
}

impl ClusterVerb {
    /// Where what it is about is.
    pub fn connection(&self) -> &Connection {
        match self {
            Self::Status { connection, .. } | Self::Plan { connection, .. } => connection,
            Self::Wait { target, .. }
            | Self::Pause { target }
            | Self::Resume { target }
            | Self::Abort { target }
            | Self::Retry { target }
            | Self::Transfer { target, .. }
            | Self::Revoke {
                asked: Revocation { target, .. },
                ..
            }
            | Self::Unrevoke(Revocation { target, .. }) => &target.connection,
        }
    }
}

/// Which image, and why.
#[derive(Args)]
pub struct Revocation {
    /// The `ChamberCluster`.
    #[command(flatten)]
    pub target: Target,
    /// ImageSha384 (PCR0), 96 hex characters.
    #[arg(long)]
    pub image: Pcr,
    /// Why; it is kept in the annotation and in the operator's answer.
    #[arg(long)]
    pub reason: String,
}

/// Which `ChamberCluster`.
#[derive(Args)]
pub struct Target {
    /// Name of the ChamberCluster.
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which API server is asked, in which namespace and as whom: the flags of kubectl.
///
/// They are of the verbs that speak to a cluster, and not global: the others have flags of the same names.
#[derive(Args)]
pub struct Connection {
    /// Its namespace; without it that of the kubeconfig's context.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; without it the current one.
    #[arg(long)]
    pub context: Option<String>,
    /// The kubeconfig; without it those of KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// User to act as (impersonation).
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Group to act as, with --as; may be given more than once.
    #[arg(long, value_name = "GROUP", requires = "as_user")]
    pub as_group: Vec<String>,
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
