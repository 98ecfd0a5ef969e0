//! The command line of the verbs that are about a `ChamberCluster`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;
use measurement::Pcr;

use super::{Connection, Output, Target};

/// What to do with a `ChamberCluster`.
#[derive(Subcommand)]
pub enum ClusterVerb {
    /// Shows one picture of a rollover: step, keys, chambers, what it waits for.
    #[command(
        after_help = "As JSON and YAML it is the resource's identity (apiVersion, kind, metadata) and its status; without a name a list of them. --watch ends with Ctrl-C, and with the exit status of what it showed last.\n\nExit status: 0 nobody has to do anything, 1 a person has to (condition Stalled), 2 could not be asked or used wrongly.\n\nExamples:\n  kubectl chamber status signer -n signing --watch\n  kubectl chamber status -A\n  kubectl chamber status signer -o json | jq -r .status.message"
    )]
    Status(Shown),
    /// Lists them, a line each: step, reason, release, chambers, keys.
    #[command(
        after_help = "As JSON and YAML it is a list of identities (apiVersion, kind, metadata) with status.\n\nExit status: 0 nobody has to do anything, 1 a person has to for one of them (condition Stalled), 2 could not be asked or used wrongly.\n\nExamples:\n  kubectl chamber list -A\n  kubectl chamber list -n signing -l team=payments -o json"
    )]
    List(Listed),
    /// Waits until the spec's release runs, verified and alone.
    #[command(
        after_help = "It is settled once every chamber was verified on spec.release and no key admits another (condition RolloverComplete), for the spec as it is now. It ends at once where a person has to do something (condition Stalled), or where the release has failed and the one before runs; it waits through pauses, and for key holders.\n\nExit status: 0 settled, 1 stalled, failed or the time is over, 2 could not be asked.\n\nExample:\n  kubectl apply -f release.yaml && kubectl chamber wait signer -n signing --timeout 30m"
    )]
    Wait {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
        /// What for.
        #[arg(long = "for", value_enum, default_value_t = Awaited::Settled)]
        awaited: Awaited,
        /// How long: 90s, 30m, 1h30m.
        #[arg(long, default_value = "1h")]
        timeout: SignedDuration,
    },
    /// Shows what a rollover would change in each key's policy, and who may then do what.
    #[command(
        after_help = "Key policies are read from KMS with your own credentials (kms:GetKeyPolicy, DescribeKey, ListResourceTags; ListKeyPolicies and ListGrants where you may), or from files; of a key that you may not read, only that is told. Nothing is changed.\n\nExit status: 0 a rollover would begin or nothing is to be done, 1 it would not begin, and why is said, 2 could not be read (of several: one of them) or used wrongly.\n\nExamples:\n  kubectl chamber plan signer -n signing\n  kubectl chamber plan -A\n  kubectl chamber plan signer -n signing --file new-release.yaml\n  kubectl chamber plan signer -n signing --policies ./policies   # a.json, b.json, ... by the names of spec.keys.shares\n  kubectl chamber plan signer -n signing --document c > c.json"
    )]
    Plan(Planned),
    /// Stops before the next action; what is under way is ended.
    #[command(
        after_help = "Exit status: 0 paused, 2 could not be asked or used wrongly.\n\nExample:\n  kubectl chamber pause signer -n signing"
    )]
    Pause {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Goes on after a pause.
    #[command(
        after_help = "Exit status: 0 resumed, 1 spec.rollover.paused is true, too, 2 could not be asked or used wrongly.\n\nExample:\n  kubectl chamber resume signer -n signing"
    )]
    Resume {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Leaves the target of a rollover and returns to the release before.
    #[command(
        after_help = "After Retire has begun the only way is forward.\n\nExit status: 0 done, 1 the operator refuses, 2 it has not answered within half a minute, could not be asked or used wrongly.\n\nExample:\n  kubectl chamber abort signer -n signing --dry-run"
    )]
    Abort {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
        /// Asks the API server alone whether you may: nothing is changed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Tries again what failed.
    #[command(
        after_help = "Exit status: 0 done, 1 the operator refuses, 2 it has not answered within half a minute, could not be asked or used wrongly.\n\nExample:\n  kubectl chamber retry signer -n signing"
    )]
    Retry {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
    },
    /// Gives a revocation up: the image may be admitted again.
    #[command(
        after_help = "Enclaves of that image may have the keys again. Without --yes it asks, and without a terminal it changes nothing.\n\nExit status: 0 done, 1 the operator refuses, 2 it has not answered within half a minute, could not be asked or used wrongly.\n\nExample:\n  kubectl chamber unrevoke signer -n signing --image $PCR0 --reason 'a false alarm'"
    )]
    Unrevoke(Revocation),
    /// Takes an image out of every policy at once, for good, even if chambers run it.
    #[command(
        after_help = "Chambers of that image stay sealed once they restart. Where every chamber runs it, it asks first, and without a terminal needs --yes. `kubectl chamber unrevoke` gives it up.\n\nExit status: 0 no key admits it any more, 1 the operator refuses, or a key still admits it after half a minute, 2 it has not answered, could not be asked or used wrongly.\n\nExample:\n  kubectl chamber revoke signer -n signing --image $PCR0 --reason 'key leak, incident 7'"
    )]
    Revoke {
        /// Which image, and why.
        #[command(flatten)]
        asked: Revocation,
    },
    /// Takes over the keys of another owner: a namespace made anew, a restore, a move to another cluster.
    #[command(
        after_help = "The keys' holders decide: the trust policies of their roles must name this cluster's external id first (status.externalId). Where the other owner still runs, pause it before; it stops with KeyOwnedByAnother afterwards. Without --yes it asks, and without a terminal it changes nothing.\n\nExit status: 0 done, 1 no key has that owner's tags, 2 the operator has not answered within half a minute, could not be asked or used wrongly.\n\nExample:\n  kubectl chamber transfer signer -n signing --from \"$OWNER\""
    )]
    Transfer {
        /// The `ChamberCluster`.
        #[command(flatten)]
        target: Target,
        /// The owner as the message of `KeyOwnedByAnother` names it.
        #[arg(long)]
        from: String,
        /// Does not ask.
        #[arg(short, long)]
        yes: bool,
        /// Asks the API server alone whether you may: nothing is changed.
        #[arg(long)]
        dry_run: bool,
    },
}

impl ClusterVerb {
    /// Where what it is about is.
    pub fn connection(&self) -> &Connection {
        match self {
            Self::Status(asked) => &asked.connection,
            Self::List(asked) => &asked.connection,
            Self::Plan(asked) => &asked.connection,
            Self::Wait { target, .. }
            | Self::Pause { target }
            | Self::Resume { target }
            | Self::Abort { target, .. }
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

/// Which of them are shown, and how.
#[derive(Args)]
pub struct Shown {
    /// Name of the ChamberCluster; without it all of the namespace.
    pub name: Option<String>,
    /// All of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
    /// Those with these labels, as kubectl takes them.
    #[arg(short = 'l', long, conflicts_with = "name")]
    pub selector: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
    /// Follows it until Ctrl-C.
    #[arg(short, long, conflicts_with_all = ["output", "all_namespaces"], requires = "name")]
    pub watch: bool,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// Which of them are listed, and how.
#[derive(Args)]
pub struct Listed {
    /// All of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Those with these labels, as kubectl takes them.
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    /// Where they are.
    #[command(flatten)]
    pub connection: Connection,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// What is planned for, and how it is told.
#[derive(Args)]
pub struct Planned {
    /// Name of the ChamberCluster; without it all of the namespace.
    pub name: Option<String>,
    /// All of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
    /// A manifest whose spec is planned for, as if it were applied; - for standard input.
    #[arg(short, long, conflicts_with = "all_namespaces", requires = "name")]
    pub file: Option<String>,
    /// A folder with <share name>.json for each key, in place of KMS.
    #[arg(long, conflicts_with = "all_namespaces", requires = "name")]
    pub policies: Option<PathBuf>,
    /// Prints the policy that the key of this share is to hold now, as JSON: what its holder is asked for.
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["output", "file", "all_namespaces"], requires = "name")]
    pub document: Option<String>,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
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
    /// Does not ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Asks the API server alone whether you may: nothing is changed.
    #[arg(long)]
    pub dry_run: bool,
}

/// What is waited for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Awaited {
    /// Every chamber was verified on the spec's release, and no key admits another.
    Settled,
}

/// What helps whoever is asked for help.
#[derive(Subcommand)]
pub enum SupportVerb {
    /// Collects status, objects, Events, the operator's logs and metrics in a folder, without what is secret.
    #[command(
        after_help = "No Secret is asked for. Values of variables, annotations that are not the operator's, commands, arguments, and in every text what looks like a key, a token or a blob are left out, and no chamber's log is read. Names of hosts, images, keys and namespaces are in it: look at it before you hand it on.\n\nExit status: 0 it is whole, 2 a part could not be read, which is said in unread.txt, or nothing could.\n\nExample:\n  kubectl chamber support bundle signer -n signing --operator-namespace chamber-operator && tar czf signer.tar.gz chamber-signer-*"
    )]
    Bundle(Bundle),
}

/// What is collected, and where.
#[derive(Args)]
pub struct Bundle {
    /// The `ChamberCluster`.
    #[command(flatten)]
    pub target: Target,
    /// Namespace of the operator.
    #[arg(long, default_value = "chamber-operator")]
    pub operator_namespace: String,
    /// The folder, which must not be there yet; without it chamber-NAME-TIME here.
    #[arg(long)]
    pub directory: Option<PathBuf>,
}
