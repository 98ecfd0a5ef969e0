//! The command line.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chamber_resource::spec::Arn;
use clap::{Args, Parser, Subcommand, ValueEnum};
use key_policy::Template;
use measurement::Pcr;

use crate::output::Failure;

/// Who can decrypt: key policies and enclave images, told and compared.
#[derive(Parser)]
#[command(
    name = "kubectl-chamber",
    bin_name = "kubectl chamber",
    version,
    after_help = "Exit status: 0 clean or notes only, 1 a warning or an error was found, 2 could not be read or used wrongly.\n\nExamples:\n  kubectl chamber status signer -n signing --watch\n  kubectl chamber plan signer -n signing\n  kubectl chamber policy lint policy.json --cluster-id prod-us-east-1-mainnet --account 111122223333\n  kubectl chamber describe-eif enclave.eif"
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
    /// A ChamberCluster: its picture, and what a person can ask for.
    #[command(flatten)]
    Cluster(ClusterVerb),
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
        after_help = "Exit status 1 where a person has to do something (condition Stalled).\n\nExample:\n  kubectl chamber status signer -n signing --watch"
    )]
    Status {
        /// Which one.
        #[command(flatten)]
        target: Target,
        /// Follows it until Ctrl-C.
        #[arg(short, long, conflicts_with = "output")]
        watch: bool,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Shows what a rollover would change in each key's policy, and who may then do what.
    #[command(
        after_help = "Key policies are read from KMS with your own credentials (kms:GetKeyPolicy, DescribeKey, ListResourceTags), or from files. Nothing is changed.\nExit status 1 where the rollover would not begin, and why is said.\n\nExamples:\n  kubectl chamber plan signer -n signing\n  kubectl chamber plan signer -n signing --file new-release.yaml\n  kubectl chamber plan signer -n signing --policies ./policies   # a.json, b.json, ... by the names of spec.keys.shares"
    )]
    Plan {
        /// Which one.
        #[command(flatten)]
        target: Target,
        /// A manifest whose spec is planned for, as if it were applied; - for standard input.
        #[arg(short, long)]
        file: Option<String>,
        /// A folder with <share name>.json for each key, in place of KMS.
        #[arg(long)]
        policies: Option<PathBuf>,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Stops before the next action; what is under way is ended.
    #[command(after_help = "Example:\n  kubectl chamber pause signer -n signing")]
    Pause {
        /// Which one.
        #[command(flatten)]
        target: Target,
    },
    /// Goes on after a pause.
    #[command(after_help = "Example:\n  kubectl chamber resume signer -n signing")]
    Resume {
        /// Which one.
        #[command(flatten)]
        target: Target,
    },
    /// Leaves the target of a rollover and returns to the release before.
    #[command(
        after_help = "Exit status 1 where the operator refuses: after Retire has begun the only way is forward.\n\nExample:\n  kubectl chamber abort signer -n signing"
    )]
    Abort {
        /// Which one.
        #[command(flatten)]
        target: Target,
    },
    /// Tries again what failed.
    #[command(after_help = "Example:\n  kubectl chamber retry signer -n signing")]
    Retry {
        /// Which one.
        #[command(flatten)]
        target: Target,
    },
    /// Takes an image out of every policy at once, for good, even if chambers run it.
    #[command(
        after_help = "Chambers of that image stay sealed once they restart. It cannot be taken back.\n\nExample:\n  kubectl chamber revoke signer -n signing --image $PCR0 --reason 'key leak, incident 7'"
    )]
    Revoke {
        /// Which one.
        #[command(flatten)]
        target: Target,
        /// ImageSha384 (PCR0), 96 hex characters.
        #[arg(long)]
        image: Pcr,
        /// Why; it is kept in the annotation and in the operator's answer.
        #[arg(long)]
        reason: String,
    },
}

impl ClusterVerb {
    /// What it is about.
    pub fn target(&self) -> &Target {
        match self {
            Self::Status { target, .. }
            | Self::Plan { target, .. }
            | Self::Pause { target }
            | Self::Resume { target }
            | Self::Abort { target }
            | Self::Retry { target }
            | Self::Revoke { target, .. } => target,
        }
    }
}

/// Which `ChamberCluster`.
#[derive(Args)]
pub struct Target {
    /// Name of the ChamberCluster.
    pub name: String,
    /// Its namespace; without it that of the kubeconfig's context.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; without it the current one.
    #[arg(long)]
    pub context: Option<String>,
}

/// What to do with a policy.
#[derive(Subcommand)]
pub enum PolicyVerb {
    /// Checks a policy against the rules (docs/key-policy-lint.md).
    #[command(
        after_help = "Notes are known holes of the template and do not count. A key is read with your own credentials (kms:GetKeyPolicy, DescribeKey, ListKeyPolicies), and looked at beyond its policy.\n\nExamples:\n  kubectl chamber policy lint policy.json --cluster-id prod-us-east-1-mainnet --account 111122223333\n  kubectl chamber policy lint arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab --cluster-id prod-us-east-1-mainnet\n  aws kms get-key-policy --key-id ARN --query Policy --output text | kubectl chamber policy lint - --cluster-id C --account A -o sarif"
    )]
    Lint {
        /// The policy: a file, - for standard input, or the ARN of a key.
        file: String,
        /// Whose policy it should be.
        #[command(flatten)]
        cluster: Cluster,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Report::Human)]
        output: Report,
    },
    /// Answers one question: may this principal do this, and which statement says so?
    #[command(
        after_help = "Without --measurement the request carries no attestation. IAM policies of the principal are not known here unless --identity names them.\n\nExample:\n  kubectl chamber policy explain policy.json --principal arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet --action kms:Decrypt --measurement $PCR0"
    )]
    Explain {
        /// The policy, or - for standard input.
        file: String,
        /// ARN of a role, a user, a session of a role, or an account's root.
        #[arg(long)]
        principal: String,
        /// For example kms:Decrypt.
        #[arg(long)]
        action: String,
        /// What the enclave attests: PCR0, or several as PCR0=...,PCR8=...
        #[arg(long)]
        measurement: Option<String>,
        /// Account of the key; without it that of the principal.
        #[arg(long)]
        account: Option<String>,
        /// A file with an IAM policy of the principal; may be given more than once.
        #[arg(long)]
        identity: Vec<String>,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Tells what the second policy changes in the first; order and spelling do not count.
    #[command(
        after_help = "Exit status 1 where they differ.\n\nExample:\n  kubectl chamber policy diff found.json wanted.json"
    )]
    Diff {
        /// The policy before, or - for standard input.
        before: String,
        /// The policy after.
        after: String,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Writes the template's policy for these measurements.
    #[command(
        after_help = "Example:\n  kubectl chamber policy render --cluster-id prod-us-east-1-mainnet --account 111122223333 --measurement $OLD --measurement $NEW --profile pinned --format terraform"
    )]
    Render {
        /// Whose policy it will be.
        #[command(flatten)]
        cluster: Cluster,
        /// A release: PCR0, or several as PCR0=...,PCR8=...; at most two.
        #[arg(long)]
        measurement: Vec<String>,
        /// Standard: the five statements. Pinned: a Deny as well, so that a retired measurement is retired for everybody.
        #[arg(long, value_enum, default_value_t = Profile::Standard)]
        profile: Profile,
        /// The document as JSON, or as a data source of Terraform.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
    },
}

/// What tells one cluster's policies from another's.
#[derive(Args)]
pub struct Cluster {
    /// clusterId of the ChamberCluster: the suffix of the enclave role.
    #[arg(long = "cluster-id", value_name = "CLUSTER_ID")]
    pub id: String,
    /// Account of the key, twelve digits; without it that of the key's ARN.
    #[arg(long, value_parser = account)]
    pub account: Option<String>,
    /// Account of the enclave role; without it that of the key.
    #[arg(long, value_parser = account)]
    pub role_account: Option<String>,
    /// ARN of the key's administrators; without it role/ChamberKmsKeyAdmin in the account.
    #[arg(long)]
    pub admin_role: Option<String>,
    /// aws, aws-us-gov or aws-cn.
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-us-gov", "aws-cn"])]
    pub partition: String,
    /// Registers to pin beside the image, for example 8; may be given more than once.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=31))]
    pub pin: Vec<u8>,
}

impl Cluster {
    /// The template of the policy of `key`: an ARN says account and partition, of a file they must be given.
    pub fn template(&self, key: &str) -> Result<Template, Failure> {
        let arn = Arn::parse(key);
        let account = match (&self.account, &arn) {
            (Some(account), Some(arn)) if account != arn.account => {
                return Err(Failure::Usage(format!(
                    "--account {account}: the key is of account {}",
                    arn.account
                )));
            }
            (Some(account), _) => account,
            (None, Some(arn)) => &arn.account.to_owned(),
            (None, None) => {
                return Err(Failure::Usage(
                    "--account is missing: the account of the key, twelve digits".to_owned(),
                ));
            }
        };
        let partition = arn.map_or(self.partition.as_str(), |arn| arn.partition);
        Ok(Template {
            partition: partition.to_owned(),
            key_account: account.clone(),
            role_account: self.role_account.as_ref().unwrap_or(account).clone(),
            cluster_id: self.id.clone(),
            admin_role_arn: self.admin_role.clone().unwrap_or_else(|| {
                format!("arn:{partition}:iam::{account}:role/ChamberKmsKeyAdmin")
            }),
            pins: self.pin.iter().copied().collect::<BTreeSet<_>>(),
            profile: key_policy::Profile::Standard,
        })
    }
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account id has twelve digits".to_owned())
}

/// Forms of an answer.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Output {
    /// For people.
    Human,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Forms of findings.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Report {
    /// For people.
    Human,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// How much a policy binds.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Profile {
    /// The five statements.
    Standard,
    /// The five statements, and a Deny for every measurement that is not admitted.
    Pinned,
}

impl From<Profile> for key_policy::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Standard => Self::Standard,
            Profile::Pinned => Self::Pinned,
        }
    }
}

/// Forms of a policy.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// The document.
    Json,
    /// A data source of Terraform.
    Terraform,
}
