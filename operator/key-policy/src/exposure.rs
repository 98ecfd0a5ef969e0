//! Who might be let in, where not all is known.

use measurement::Measurement;

use crate::Policy;
use crate::access::decryption;
use crate::lint::malformed;
use crate::template::Template;

/// Whether the enclave role might decrypt from an enclave with this measurement.
///
/// This is about exposure: what depends on something that is not known, and that the spec says nothing of, is allowed. So
/// is all that a document may mean which KMS should have refused: nobody knows how KMS reads it.
pub fn may_decrypt(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    malformed(policy).is_some() || !decryption(policy, template, measurement).is_denied()
}
