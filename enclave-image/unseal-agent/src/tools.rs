//! What the agent works with.

use std::sync::Arc;

/// The ways out of the enclave: security module and KMS.
pub struct Tools<N, K> {
    /// The security module.
    pub nsm: Arc<N>,
    /// KMS.
    pub kms: Arc<K>,
}

impl<N, K> Clone for Tools<N, K> {
    fn clone(&self) -> Self {
        Self {
            nsm: Arc::clone(&self.nsm),
            kms: Arc::clone(&self.kms),
        }
    }
}
