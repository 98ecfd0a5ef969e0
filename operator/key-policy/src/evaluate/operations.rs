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
    let (service, name) = action.split_once(':')?;
    service.eq_ignore_ascii_case("kms").then_some(name)
}
