//! Who might be let in, where not all is known.

use std::collections::BTreeMap;

use measurement::Measurement;

use crate::Policy;
use crate::access::decryption;
use crate::lint::malformed;
use crate::template::Template;

/// Whether the enclave role might decrypt from an enclave with this measurement.
///
/// This is about exposure: what depends on something that is not known is allowed, and so is all that a document may mean
/// which KMS should have refused. What the spec says of the chambers' requests does not count: whoever runs the parent
/// instance sends an enclave's requests by the way of their choice.
pub fn may_decrypt(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    let nothing_assumed = Template {
        assume: BTreeMap::new(),
        ..template.clone()
    };
    malformed(policy).is_some() || !decryption(policy, &nothing_assumed, measurement).is_denied()
}
