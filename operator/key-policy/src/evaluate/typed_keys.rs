//! Keys of AWS's of which the values are of one kind; all others may be any text.

use super::outcomes::Kind;

/// With what they are compared (IAM user guide, "Global condition context keys"; service authorization reference,
/// "Condition keys for AWS KMS"). `aws:EpochTime` is a number of seconds, and a date.
const TYPED: [(&str, &[Kind]); 18] = [
    ("aws:CurrentTime", &[Kind::Date]),
    ("aws:Ec2InstanceSourcePrivateIPv4", &[Kind::Address]),
    ("aws:EpochTime", &[Kind::Date, Kind::Number]),
    ("aws:MultiFactorAuthAge", &[Kind::Number]),
    ("aws:MultiFactorAuthPresent", &[Kind::Bool]),
    ("aws:PrincipalIsAWSService", &[Kind::Bool]),
    ("aws:SecureTransport", &[Kind::Bool]),
    ("aws:SourceIp", &[Kind::Address]),
    ("aws:TokenIssueTime", &[Kind::Date]),
    ("aws:ViaAWSService", &[Kind::Bool]),
    ("aws:VpcSourceIp", &[Kind::Address]),
    ("kms:BypassPolicyLockoutSafetyCheck", &[Kind::Bool]),
    ("kms:GrantIsForAWSResource", &[Kind::Bool]),
    ("kms:MultiRegion", &[Kind::Bool]),
    ("kms:ReEncryptOnSameKey", &[Kind::Bool]),
    ("kms:RotationPeriodInDays", &[Kind::Number]),
    (
        "kms:ScheduleKeyDeletionPendingWindowInDays",
        &[Kind::Number],
    ),
    ("kms:ValidTo", &[Kind::Date]),
];

/// The kinds of a key's values, in whatever case it is written; none where it may be any text.
pub fn kinds(key: &str) -> &'static [Kind] {
    let mut typed = TYPED.iter();
    let known = typed.find(|(known, _)| known.eq_ignore_ascii_case(key));
    known.map_or(&[], |(_, kinds)| kinds)
}
