//! What generated policies and requests are made of.

use serde_json::{Map, Value};

/// Kinds of operators and of the keys that they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Date,
    Bool,
    Binary,
    Address,
    Arn,
}

/// A condition key: what policies compare it with, and what requests bring.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub many: bool,
    pub values: &'static [&'static str],
    /// Values that both evaluators are known to read differently: now and then.
    pub rare: &'static [&'static str],
    pub found: &'static [&'static str],
}

impl Key {
    /// Whether a text is a value of this kind of key.
    pub fn takes(&self, value: &str) -> bool {
        match self.kind {
            Kind::Text | Kind::Arn | Kind::Binary => true,
            Kind::Bool => matches!(value, "true" | "false"),
            Kind::Number => value.parse::<f64>().is_ok(),
            Kind::Date => value.contains("T00:00:00Z") || value.ends_with("12:00:00Z"),
            Kind::Address => value.parse::<std::net::IpAddr>().is_ok(),
        }
    }
}

/// All operators of the IAM user guide but `Null`.
pub const OPERATORS: [(Kind, &str); 26] = [
    (Kind::Text, "StringEquals"),
    (Kind::Text, "StringNotEquals"),
    (Kind::Text, "StringEqualsIgnoreCase"),
    (Kind::Text, "StringNotEqualsIgnoreCase"),
    (Kind::Text, "StringLike"),
    (Kind::Text, "StringNotLike"),
    (Kind::Number, "NumericEquals"),
    (Kind::Number, "NumericNotEquals"),
    (Kind::Number, "NumericLessThan"),
    (Kind::Number, "NumericLessThanEquals"),
    (Kind::Number, "NumericGreaterThan"),
    (Kind::Number, "NumericGreaterThanEquals"),
    (Kind::Date, "DateEquals"),
    (Kind::Date, "DateNotEquals"),
    (Kind::Date, "DateLessThan"),
    (Kind::Date, "DateLessThanEquals"),
    (Kind::Date, "DateGreaterThan"),
    (Kind::Date, "DateGreaterThanEquals"),
    (Kind::Bool, "Bool"),
    (Kind::Binary, "BinaryEquals"),
    (Kind::Address, "IpAddress"),
    (Kind::Address, "NotIpAddress"),
    (Kind::Arn, "ArnEquals"),
    (Kind::Arn, "ArnLike"),
    (Kind::Arn, "ArnNotEquals"),
    (Kind::Arn, "ArnNotLike"),
];

const IMAGE_1: &str = "010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101";
const IMAGE_2: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const IMAGE_2_UPPER: &str = "0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A";

pub static KEYS: [Key; 12] = [
    Key {
        name: "kms:RecipientAttestation:ImageSha384",
        kind: Kind::Text,
        many: false,
        values: &[IMAGE_1, IMAGE_2, IMAGE_2_UPPER, "0a0a*"],
        rare: &[],
        found: &[IMAGE_1, IMAGE_2],
    },
    Key {
        name: "kms:RecipientAttestation:PCR8",
        kind: Kind::Text,
        many: false,
        values: &[IMAGE_1, IMAGE_2_UPPER, "*"],
        rare: &[],
        found: &[IMAGE_1, IMAGE_2],
    },
    Key {
        name: "kms:ViaService",
        kind: Kind::Text,
        many: false,
        values: &[
            "ec2.us-east-1.amazonaws.com",
            "ec2.*.amazonaws.com",
            "S3.us-east-1.amazonaws.com",
            "e?2*",
        ],
        rare: &[],
        found: &["ec2.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"],
    },
    Key {
        name: "aws:PrincipalTag/team",
        kind: Kind::Text,
        many: false,
        values: &[
            "red",
            "${aws:PrincipalTag/colour}",
            "re*",
            "${aws:PrincipalTag/colour, 'red'}",
        ],
        rare: &["${*}"],
        found: &["red", "Red", "blue", "*"],
    },
    Key {
        name: "aws:PrincipalTag/colour",
        kind: Kind::Text,
        many: false,
        values: &["red", "BLUE", "?ed"],
        rare: &[],
        found: &["red", "blue"],
    },
    Key {
        name: "aws:TagKeys",
        kind: Kind::Text,
        many: true,
        values: &["a", "b", "c*", "A"],
        rare: &[],
        found: &["a", "b", "cd"],
    },
    Key {
        name: "kms:ScheduleKeyDeletionPendingWindowInDays",
        kind: Kind::Number,
        many: false,
        values: &["7", "10", "7.0", "30", "-1"],
        rare: &[],
        found: &["7", "10", "29", "30"],
    },
    Key {
        name: "aws:CurrentTime",
        kind: Kind::Date,
        many: false,
        values: &[
            "2026-01-01T00:00:00Z",
            "2026-06-01T12:00:00Z",
            "2027-01-01T00:00:00Z",
        ],
        rare: &[],
        found: &[
            "2026-01-01T00:00:00Z",
            "2026-03-01T00:00:00Z",
            "2027-03-01T00:00:00Z",
        ],
    },
    Key {
        name: "aws:SecureTransport",
        kind: Kind::Bool,
        many: false,
        values: &["true", "false", "TRUE"],
        rare: &[],
        found: &["true", "false"],
    },
    Key {
        name: "kms:EncryptionContext:blob",
        kind: Kind::Binary,
        many: false,
        values: &["QmluYXJ5", "b3RoZXI="],
        rare: &[],
        found: &["QmluYXJ5", "b3RoZXI="],
    },
    Key {
        name: "aws:SourceIp",
        kind: Kind::Address,
        many: false,
        values: &[
            "203.0.113.0/24",
            "203.0.113.7",
            "2001:db8::/32",
            "10.0.0.0/8",
            "128.0.0.0/1",
        ],
        rare: &["0.0.0.0/0"],
        found: &["203.0.113.7", "198.51.100.1", "2001:db8::5", "10.200.3.4"],
    },
    Key {
        name: "aws:PrincipalArn",
        kind: Kind::Arn,
        many: false,
        values: &[
            "arn:aws:iam::111122223333:role/R",
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::11112222????:role/?",
            "arn:aws:iam::111122223333:role/team/*",
        ],
        rare: &["arn:*:role/R"],
        found: &[
            "arn:aws:iam::111122223333:role/R",
            "arn:aws:iam::111122223333:role/team/R",
            "arn:aws:iam::999999999999:role/R",
            "arn:aws:iam::111122223333:user/U",
        ],
    },
];

/// Keys whose value follows from the question.
pub static DERIVED: [Key; 7] = [
    derivable(
        "aws:PrincipalArn",
        Kind::Arn,
        &[
            "arn:aws:iam::111122223333:role/R",
            "arn:aws:iam::*:role/Chamber*",
            "arn:aws:iam::111122223333:user/?",
        ],
    ),
    derivable(
        "aws:PrincipalAccount",
        Kind::Text,
        &["111122223333", "999999999999", "1111*"],
    ),
    derivable(
        "kms:CallerAccount",
        Kind::Text,
        &["111122223333", "999999999999", "${aws:PrincipalAccount}"],
    ),
    derivable(
        "aws:PrincipalType",
        Kind::Text,
        &["AssumedRole", "User", "assumedrole", "Account"],
    ),
    derivable(
        "aws:ResourceAccount",
        Kind::Text,
        &["111122223333", "${aws:PrincipalAccount}"],
    ),
    derivable(
        "aws:RequestedRegion",
        Kind::Text,
        &["us-east-1", "eu-*", "${aws:PrincipalTag/team}"],
    ),
    derivable("aws:SecureTransport", Kind::Bool, &["true", "false"]),
];

/// The same where an AWS service asks.
pub static OF_SERVICES: [Key; 5] = [
    derivable("aws:PrincipalIsAWSService", Kind::Bool, &["true", "false"]),
    derivable(
        "aws:PrincipalServiceName",
        Kind::Text,
        &["s3.amazonaws.com", "*.amazonaws.com"],
    ),
    derivable(
        "aws:PrincipalArn",
        Kind::Arn,
        &["arn:aws:iam::111122223333:role/R", "arn:aws:iam::*:role/*"],
    ),
    derivable("aws:PrincipalType", Kind::Text, &["AssumedRole", "Account"]),
    derivable(
        "aws:ResourceAccount",
        Kind::Text,
        &["111122223333", "999999999999"],
    ),
];

const fn derivable(name: &'static str, kind: Kind, values: &'static [&'static str]) -> Key {
    Key {
        name,
        kind,
        many: false,
        values,
        rare: &[],
        found: &[],
    }
}

pub fn is_derived(name: &str) -> bool {
    DERIVED.iter().any(|key| key.name == name)
}

/// What AWS's documentation says that these keys are for a principal and a key.
pub fn derived(principal: &str, resource: &str) -> Map<String, Value> {
    let part =
        |arn: &'_ str, index: usize| arn.split(':').nth(index).unwrap_or_default().to_owned();
    let account = part(principal, 4);
    let name = part(principal, 5);
    let of_role = name
        .strip_prefix("assumed-role/")
        .and_then(|name| name.split('/').next());
    let (arn, kind) = match of_role {
        Some(role) => (format!("arn:aws:iam::{account}:role/{role}"), "AssumedRole"),
        None if name == "root" => (principal.to_owned(), "Account"),
        None => (principal.to_owned(), "User"),
    };
    let known = [
        ("aws:PrincipalArn", arn),
        ("aws:PrincipalAccount", account.clone()),
        ("kms:CallerAccount", account),
        ("aws:PrincipalType", kind.to_owned()),
        ("aws:ResourceAccount", part(resource, 4)),
        ("aws:RequestedRegion", part(resource, 3)),
        ("aws:SecureTransport", "true".to_owned()),
    ];
    let known = known
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()));
    known.collect()
}

/// The same for an AWS service, which has no ARN and no type.
pub fn derived_of_service(service: &str, resource: &str) -> Map<String, Value> {
    let mut known = derived("", resource);
    known.retain(|key, _| !key.starts_with("aws:Principal") && key != "kms:CallerAccount");
    known.insert("aws:PrincipalIsAWSService".to_owned(), "true".into());
    known.insert("aws:PrincipalServiceName".to_owned(), service.into());
    known
}

pub const ROOT: &str = "arn:aws:iam::111122223333:root";

pub const PRINCIPALS: [&str; 6] = [
    "arn:aws:sts::111122223333:assumed-role/ChamberEnclaveRole-prod-us-east-1-mainnet/s",
    "arn:aws:sts::111122223333:assumed-role/ChamberKmsKeyAdmin/s",
    "arn:aws:sts::111122223333:assumed-role/R/s",
    "arn:aws:iam::111122223333:user/U",
    "arn:aws:sts::999999999999:assumed-role/R/s",
    "arn:aws:iam::999999999999:user/U",
];

/// AWS services that ask.
pub const SERVICES: [&str; 3] = [
    "s3.amazonaws.com",
    "logs.us-east-1.amazonaws.com",
    "cloudtrail.amazonaws.com",
];

/// And those that policies name.
pub const SERVICE_NAMES: [&str; 4] = [
    "s3.amazonaws.com",
    "logs.us-east-1.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "ec2.amazonaws.com",
];

pub const PRINCIPAL_NAMES: [&str; 11] = [
    "arn:aws:iam::111122223333:role/R",
    "arn:aws:iam::111122223333:role/team/R",
    "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin",
    "arn:aws:sts::111122223333:assumed-role/R/s",
    "arn:aws:sts::111122223333:assumed-role/R/t",
    "arn:aws:iam::111122223333:user/U",
    "arn:aws:iam::111122223333:root",
    "111122223333",
    "arn:aws:iam::999999999999:role/R",
    "arn:aws:iam::999999999999:root",
    "999999999999",
];

pub const ACTIONS: [&str; 5] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:PutKeyPolicy",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
];

pub const ACTION_PATTERNS: [&str; 10] = [
    "kms:*",
    "*",
    "kms:D*",
    "kms:Decrypt",
    "KMS:decrypt",
    "kms:?ncrypt",
    "kms:Put*",
    "kms:*Key*",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
];

/// Of [`ACTIONS`]: those whose request may have an attestation document.
pub const ATTESTING: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// Of [`ACTIONS`]: those that KMS does not offer to other accounts.
pub const OWN_ACCOUNT_ONLY: [&str; 1] = ["kms:PutKeyPolicy"];

/// Keys that a question may leave open: what is attested is always said, and what has several values has no end of them.
pub fn open_keys() -> Vec<&'static Key> {
    let open = |key: &&Key| !key.name.contains("RecipientAttestation") && !key.many;
    KEYS.iter().filter(open).collect()
}

pub const RESOURCES: [&str; 4] = [
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws-cn:kms:cn-north-1:111122223333:key/other",
];

pub const RESOURCE_PATTERNS: [&str; 8] = [
    "*",
    "arn:aws:kms:us-east-1:111122223333:alias/chamber",
    "arn:aws:kms:*:111122223333:key/mrk-*",
    "arn:aws:kms:us-east-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:*:111122223333:key/*",
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:key/other",
    "arn:aws:kms:us-east-?:*:key/1234*",
];
