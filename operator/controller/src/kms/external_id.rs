//! Credentials of a holder's role, whose trust policy names the external id of now, or still the one of before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use kms_key::is_denied;

/// A role by two external ids. The second is tried where the first is denied, and that is remembered: a trust policy
/// written before namespaces' uids were part of the id goes on for one version.
#[derive(Debug)]
pub struct EitherId {
    /// With the external id of now.
    pub now: AssumeRoleProvider,
    /// With the owner's tag in its place.
    pub before: AssumeRoleProvider,
    /// Set where only the second was taken.
    pub outdated: Arc<AtomicBool>,
}

impl EitherId {
    async fn credentials(&self) -> provider::Result {
        match self.now.provide_credentials().await {
            Err(denied) if is_denied(&denied) => self.with_the_one_before(denied).await,
            answer => answer,
        }
    }

    /// Where both are denied, the answer to the one of now is told: it is what the trust policy has to name.
    async fn with_the_one_before(
        &self,
        denied: CredentialsError,
    ) -> Result<Credentials, CredentialsError> {
        let credentials = self.before.provide_credentials().await;
        let credentials = credentials.map_err(|_| denied)?;
        self.outdated.store(true, Ordering::Relaxed);
        Ok(credentials)
    }
}

impl ProvideCredentials for EitherId {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
