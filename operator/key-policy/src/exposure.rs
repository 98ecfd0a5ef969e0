//! Who might be let in, where not all is known.

use std::collections::BTreeMap;

use measurement::Measurement;

use crate::access::decryption;
use crate::lint::malformed;
use crate::pinned::deny_value;
use crate::template::Template;
use crate::{ATTESTATION_KEY, Policy};

/// Whether the enclave role might decrypt from an enclave with this measurement.
///
/// This is about exposure: what depends on something that is not known is allowed, and so is all that a document may mean
/// which KMS should have refused. What the spec says of the chambers' requests does not count: whoever runs the parent
/// instance sends an enclave's requests by the way of their choice.
pub fn may_decrypt(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    malformed(policy).is_some() || may_be_let_in(policy, template, measurement)
}

/// The same from an enclave that is measured like this one but in one register, which has any other value or none: one that
/// the policy names wherever it may, one that a pattern matches, or one that nothing names.
pub fn may_decrypt_with_another(
    policy: &Policy,
    template: &Template,
    measurement: &Measurement,
    register: u8,
) -> bool {
    let mut others = measurement.clone();
    let own = others.registers.remove(&register);
    // Beside a Deny of its own value only the others are left to be found.
    let spared = own.map(|own| deny_value(format!("{ATTESTATION_KEY}PCR{register}"), own));
    let only_others = policy.replacing(|_| false, spared.as_slice());
    malformed(policy).is_some() || may_be_let_in(&only_others, template, &others)
}

fn may_be_let_in(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    let nothing_assumed = Template {
        assume: BTreeMap::new(),
        ..template.clone()
    };
    !decryption(policy, &nothing_assumed, measurement).is_denied()
}
