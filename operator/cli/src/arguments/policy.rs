//! The command line of `policy`.

use chamber_resource::arn::Arn;
use clap::{Args, Subcommand, ValueEnum};
use key_policy::Template;

use super::Output;
use crate::output::Failure;

/// What to do with a policy.
#[derive(Subcommand)]
pub enum PolicyVerb {
    /// Checks a policy against the rules (docs/key-policy-lint.md).
    #[command(
        after_help = "Notes are known holes of the template and do not count. Whose policy it should be is taken from the policy itself where no flag says it, and is told: what a policy says of itself is not checked, so say --cluster-id and --account where a policy is to be judged and not only looked at. A key is read with your own credentials (kms:GetKeyPolicy, DescribeKey; ListKeyPolicies and ListGrants where you may), and looked at beyond its policy.\n\nExit status: 0 clean or notes only, 1 a warning or an error was found, 2 unreadable or used wrongly.\n\nExamples:\n  kubectl chamber policy lint policy.json\n  kubectl chamber policy lint arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab --cluster-id prod-us-east-1-mainnet\n  aws kms get-key-policy --key-id ARN --query Policy --output text | kubectl chamber policy lint - --cluster-id C --account A -o sarif"
    )]
    Lint {
        /// The policy: a file, - for standard input, or the ARN of a key.
        file: String,
        /// ARN of the key that a file is the policy of; without it, what statements name of a key of its account.
        #[arg(long, value_name = "ARN")]
        key: Option<String>,
        /// Whose policy it should be.
        #[command(flatten)]
        cluster: Cluster,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Report::Human)]
        output: Report,
    },
    /// Answers one question: may this principal do this, and which statement says so?
    #[command(
        after_help = "Exit status: 0 allowed, 1 denied, 2 unreadable or used wrongly, 3 it depends on what the question does not say.\n\nA condition key that is not given is not known, unless it follows from the question (aws:PrincipalArn, kms:CallerAccount and the like). Without --measurement the request carries no attestation. Without --identity the IAM policies of the principal are not known.\n\nExamples:\n  kubectl chamber policy explain policy.json --principal arn:aws:iam::111122223333:role/ChamberEnclaveRole-prod-us-east-1-mainnet --action kms:Decrypt --measurement $PCR0\n  kubectl chamber policy explain policy.json --principal arn:aws:iam::111122223333:role/App --action kms:Decrypt --key arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab --context kms:ViaService=s3.us-east-1.amazonaws.com --context aws:SourceVpce="
    )]
    Explain {
        /// The policy, or - for standard input.
        file: String,
        /// What is asked.
        #[command(flatten)]
        question: Question,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Tells what the second policy changes in the first; order and spelling do not count.
    #[command(
        after_help = "Exit status: 0 they are the same, 1 they differ, 2 unreadable or used wrongly.\n\nA statement without Sid is told as #n, counted from 0 in the policy before; one that is added is counted in the policy after.\n\nExample:\n  kubectl chamber policy diff found.json wanted.json"
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
        mut_arg("id", |id| id.required(true)),
        mut_arg("account", |account| account.required(true)),
        after_help = "Exit status: 0 rendered, 2 KMS would refuse it, or used wrongly.\n\nExample:\n  kubectl chamber policy render --cluster-id prod-us-east-1-mainnet --account 111122223333 --measurement $OLD --measurement $NEW --profile pinned --format terraform"
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

/// May this principal do this?
#[derive(Args)]
pub struct Question {
    /// ARN of a role, a user, a session of a role, or an account's root; or a service such as ec2.amazonaws.com.
    #[arg(long)]
    pub principal: String,
    /// For example kms:Decrypt.
    #[arg(long)]
    pub action: String,
    /// What is attested: PCR0, or several as PCR0=...,PCR8=...; of a TPM as `NitroTPMPCR4=...`.
    #[arg(long)]
    pub measurement: Option<String>,
    /// ARN of the key, where statements name it.
    #[arg(long, value_name = "ARN")]
    pub key: Option<String>,
    /// Account of the key; without it that of --key, or of the principal.
    #[arg(long, value_parser = account)]
    pub account: Option<String>,
    /// A condition key of the request: KEY=VALUE, more than once for several values; KEY= where it is absent.
    #[arg(long = "context", value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// A file with an IAM policy of the principal; may be given more than once.
    #[arg(long)]
    pub identity: Vec<String>,
}

/// What tells one cluster's policies from another's.
#[derive(Args)]
pub struct Cluster {
    /// clusterId of the ChamberCluster: the suffix of the enclave role.
    #[arg(long = "cluster-id", value_name = "CLUSTER_ID")]
    pub id: Option<String>,
    /// Account of the key, twelve digits.
    #[arg(long, value_parser = account)]
    pub account: Option<String>,
    /// Account of the enclave role; without it that of the key, or what a policy that is linted without flags says.
    #[arg(long, value_parser = account)]
    pub role_account: Option<String>,
    /// ARN of the key's administrators; without it role/ChamberKmsKeyAdmin in the account.
    #[arg(long)]
    pub admin_role: Option<String>,
    /// Partition of the key; without it aws.
    #[arg(long, value_parser = key_policy::PARTITIONS)]
    pub partition: Option<String>,
    /// Registers to pin beside the image, for example 8; may be given more than once.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=31))]
    pub pin: Vec<u8>,
}

impl Cluster {
    /// The template of its policies, of flags alone.
    pub fn template(&self) -> Result<Template, Failure> {
        let (Some(id), Some(account)) = (&self.id, &self.account) else {
            let what = "--cluster-id and --account are missing: whose policy it will be";
            return Err(Failure::Usage(what.to_owned()));
        };
        let partition = self.partition.as_deref().unwrap_or("aws");
        let mut template = Template::in_account(partition, account, id);
        self.complete(&mut template);
        Ok(template)
    }

    /// Puts what only flags say into a template.
    pub fn complete(&self, template: &mut Template) {
        if let Some(account) = &self.role_account {
            template.role_account.clone_from(account);
        }
        if let Some(role) = &self.admin_role {
            template.admin_role_arn.clone_from(role);
        }
        template.pins.extend(&self.pin);
    }

    /// The ARN of a key, where it is one; it says account and partition, and `--account` may only say the same.
    pub fn key<'a>(&self, key: Option<&'a str>) -> Result<Option<Arn<'a>>, Failure> {
        let arn = key.and_then(Arn::parse);
        match (&self.account, &arn) {
            (Some(account), Some(arn)) if account != arn.account => Err(Failure::Usage(format!(
                "--account {account}: the key is of account {}",
                arn.account
            ))),
            _ => Ok(arn),
        }
    }
}

pub(super) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account id has twelve digits".to_owned())
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
