//! The command line of `key`.

use clap::{Args, Subcommand};

use super::policy::Cluster;

/// What to do with a key that wraps a share.
#[derive(Subcommand)]
pub enum KeyVerb {
    /// Makes a key for a share, with a policy that admits no image yet, and prints what to put under spec.keys.shares.
    #[command(
        after_help = "The key is symmetric, of this Region alone, and made with your own credentials (kms:CreateKey in its account; kms:TagResource is not needed). Its policy is the one of `policy render` without a measurement: the operator, or the key's holder, admits the release before it is started. KMS refuses a policy that would lock you out.\n\nExit status: 0 made, 2 refused by KMS or used wrongly.\n\nExamples:\n  kubectl chamber key create --name d --cluster-id prod-us-east-1-mainnet --account 111122223333 --region us-east-1\n  kubectl chamber key create --name d --cluster-id prod-us-east-1-mainnet --account 444455556666 --role-account 111122223333 --region eu-west-1 --dry-run"
    )]
    Create(Box<Create>),
    /// Brings a key back that was disabled or scheduled for deletion.
    #[command(
        after_help = "Deletion is cancelled (kms:CancelKeyDeletion) and the key enabled (kms:EnableKey), with your own credentials. Whatever its policy admits may decrypt again at once, with shares of every generation that were wrapped under it: `policy explain` tells who that is before. Without --yes it asks, and without a terminal it changes nothing.\n\nExit status: 0 the key is enabled, 2 refused by KMS or used wrongly.\n\nExample:\n  kubectl chamber key restore arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    )]
    Restore {
        /// ARN of the key.
        arn: String,
        /// Does not ask.
        #[arg(short, long)]
        yes: bool,
        /// Says what would be done, and changes nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which key is made.
#[derive(Args)]
pub struct Create {
    /// Name of the share in spec.keys.shares.
    #[arg(long)]
    pub name: String,
    /// Whose it is.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Region of the key; without it that of your AWS configuration.
    #[arg(long)]
    pub region: Option<String>,
    /// Prints the policy, and makes nothing.
    #[arg(long)]
    pub dry_run: bool,
}
