//! The operations of KMS: which carry an attestation, which work across accounts, which a key policy governs.
//!
//! Source: KMS API reference ("Cross-account use" of each operation), and "Condition keys for
//! attested platforms" for the operations that take a `Recipient`.

use super::any_case;

/// How far a key policy reaches for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The key policy decides, also for principals of other accounts.
    AnyAccount,
    /// The key policy decides, and other accounts are refused whatever it says.
    OwnAccount,
    /// No key policy decides: the operation is about no key, about none yet, or a grant alone allows it.
    NoKey,
}

use Reach::{AnyAccount, NoKey, OwnAccount};

/// In the order of their names.
const OPERATIONS: [(&str, Reach); 58] = [
    ("CancelKeyDeletion", OwnAccount),
    ("ConnectCustomKeyStore", NoKey),
    ("CreateAlias", OwnAccount),
    ("CreateCustomKeyStore", NoKey),
    ("CreateGrant", AnyAccount),
    ("CreateKey", NoKey),
    ("Decapsulate", AnyAccount),
    ("Decrypt", AnyAccount),
    ("DeleteAlias", OwnAccount),
    ("DeleteCustomKeyStore", NoKey),
    ("DeleteImportedKeyMaterial", OwnAccount),
    ("DeriveSharedSecret", AnyAccount),
    ("DescribeCustomKeyStores", NoKey),
    ("DescribeKey", AnyAccount),
    ("DisableKey", OwnAccount),
    ("DisableKeyRotation", OwnAccount),
    ("DisconnectCustomKeyStore", NoKey),
    ("EnableKey", OwnAccount),
    ("EnableKeyRotation", OwnAccount),
    ("Encapsulate", AnyAccount),
    ("Encrypt", AnyAccount),
    ("GenerateDataKey", AnyAccount),
    ("GenerateDataKeyPair", AnyAccount),
    ("GenerateDataKeyPairWithoutPlaintext", AnyAccount),
    ("GenerateDataKeyWithoutPlaintext", AnyAccount),
    ("GenerateMac", AnyAccount),
    ("GenerateRandom", NoKey),
    ("GetKeyLastUsage", OwnAccount),
    ("GetKeyPolicy", OwnAccount),
    ("GetKeyRotationStatus", AnyAccount),
    ("GetParametersForImport", OwnAccount),
    ("GetPublicKey", AnyAccount),
    ("ImportKeyMaterial", OwnAccount),
    ("ListAliases", NoKey),
    ("ListGrants", AnyAccount),
    ("ListKeyPolicies", OwnAccount),
    ("ListKeyRotations", OwnAccount),
    ("ListKeys", NoKey),
    ("ListResourceTags", OwnAccount),
    ("ListRetirableGrants", NoKey),
    ("PutKeyPolicy", OwnAccount),
    ("ReEncryptFrom", AnyAccount),
    ("ReEncryptTo", AnyAccount),
    ("ReplicateKey", OwnAccount),
    ("RetireGrant", NoKey),
    ("RevokeGrant", AnyAccount),
    ("RotateKeyOnDemand", OwnAccount),
    ("ScheduleKeyDeletion", OwnAccount),
    ("Sign", AnyAccount),
    ("SynchronizeMultiRegionKey", OwnAccount),
    ("TagResource", OwnAccount),
    ("UntagResource", OwnAccount),
    ("UpdateAlias", OwnAccount),
    ("UpdateCustomKeyStore", NoKey),
    ("UpdateKeyDescription", OwnAccount),
    ("UpdatePrimaryRegion", OwnAccount),
    ("Verify", AnyAccount),
    ("VerifyMac", AnyAccount),
];

/// Where the names of each letter begin, and where those of the last end.
const BEGINS: [usize; 27] = begins();

const fn begins() -> [usize; 27] {
    let mut begins = [0; 27];
    let (mut letter, mut at) = (0, 0);
    let mut first = b'A';
    while letter < begins.len() {
        while at < OPERATIONS.len() && OPERATIONS[at].0.as_bytes()[0] < first {
            at += 1;
        }
        begins[letter] = at;
        letter += 1;
        first += 1;
    }
    begins
}

/// Operations that take a `Recipient`, and so an attestation document.
const ATTESTING: [&str; 5] = [
    "Decrypt",
    "DeriveSharedSecret",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateRandom",
];

/// The action as the reference writes it, for example `kms:Decrypt`, and its reach; `None` where KMS has no such action.
pub fn operation(action: &str) -> Option<(String, Reach)> {
    let name = of_kms(action)?;
    let mut known = OPERATIONS.iter();
    let (name, reach) = known.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some((format!("kms:{name}"), *reach))
}

/// Whether KMS has an action that this pattern names. Those of other services are not judged.
pub(crate) fn is_known(pattern: &str) -> bool {
    let Some(pattern) = of_kms(pattern) else {
        return true;
    };
    // Nearly all are written as the reference does, in full or with a star behind.
    let (beginning, starred) = match pattern.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (pattern, false),
    };
    let same = |name: &str| name == beginning || (starred && name.starts_with(beginning));
    let letter = beginning
        .bytes()
        .next()
        .and_then(|one| one.checked_sub(b'A'));
    let begins = letter.and_then(|letter| BEGINS.get(usize::from(letter)..)?.first_chunk());
    let of_letter = begins.and_then(|[begin, end]| OPERATIONS.get(*begin..*end));
    if of_letter.is_some_and(|names| names.iter().any(|(name, _)| same(name))) {
        return true;
    }
    let mut known = operations();
    known.any(|name| any_case::matches_ignoring_case(pattern, name))
}

/// All actions of KMS, without their service.
pub fn operations() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(name, _)| *name)
}

/// Whether a request of this action can carry an attestation. Actions of other services cannot.
pub fn attests(action: &str) -> bool {
    of_kms(action).is_some_and(|name| {
        ATTESTING
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    })
}

/// Whether a principal of another account than the key's is refused whatever a policy says. Unknown actions are left to the policy.
pub(crate) fn is_own_account_only(action: &str) -> bool {
    operation(action).is_some_and(|(_, reach)| reach == Reach::OwnAccount)
}

fn of_kms(action: &str) -> Option<&str> {
    let (service, name) = action.split_at_checked("kms:".len())?;
    service.eq_ignore_ascii_case("kms:").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_in_order_and_known_by_each_of_their_patterns() {
        assert!(OPERATIONS.is_sorted_by(|one, other| one.0 < other.0));
        for name in operations() {
            for pattern in [
                format!("kms:{name}"),
                format!("KMS:{}", name.to_ascii_lowercase()),
                format!("kms:{name}*"),
                format!("kms:{}*", &name[..3]),
                format!("kms:{}*", name[..3].to_ascii_uppercase()),
                format!("kms:?{}", &name[1..]),
                format!("kms:*{}", &name[2..]),
            ] {
                assert!(is_known(&pattern), "{pattern}");
            }
            for pattern in [
                format!("kms:{name}?"),
                format!("kms:{}", &name[..3]),
                format!("kms:x{name}*"),
            ] {
                assert!(!is_known(&pattern), "{pattern}");
            }
        }
        assert!(is_known("s3:Any") && is_known("*") && is_known("kms:*") && !is_known("kms:"));
    }
}
