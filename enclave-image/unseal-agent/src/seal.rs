//! The first seal: a new master key, as a request says.

use std::collections::BTreeSet;

use attestation::Claims;
use chamber_link::SealRequest;
use cluster_manifest::KeyArn;
use sealed_blob::MasterKey;
use tokio::sync::mpsc::UnboundedSender;

use crate::wrap::{Plan, deadline, offer, own_image, split_key, wrap};
use crate::{Authorization, Kms, Nsm, Sealed, ShareReport, Tools, WrapError};

/// Why nothing was sealed. No share of the key that was made exists anywhere any more.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The request makes no blob, or none that the cluster manifest allows.
    #[error("seal request, {field}: {what}")]
    Request {
        /// The field at fault.
        field: &'static str,
        /// What was found and what is allowed.
        what: String,
    },
    /// No blob came of it.
    #[error(transparent)]
    Wrap(#[from] WrapError),
}

/// Makes a master key and its sealed blob, bound to PCR0 alone: the operator binds further registers by itself.
///
/// `reports` hears of each share that is asked for as a proof.
pub async fn seal<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    authorization: &Authorization,
    request: &SealRequest,
    reports: UnboundedSender<ShareReport>,
) -> Result<Sealed, SealError> {
    check(request)?;
    let allowed = authorization.may_seal(request);
    allowed.map_err(|(field, what)| SealError::Request { field, what })?;
    let image = own_image(&*tools.nsm)?;
    let plan = Plan {
        cluster_id: request.cluster_id.clone(),
        generation: request.generation,
        threshold: request.threshold,
        keys: request.keys.clone(),
        manifest: authorization.digest(),
        claims: |core| Claims::Seal { core },
    };
    let deadline = deadline();
    let make = |nsm: &N| MasterKey::fill(|bytes| nsm.random(bytes));
    let split = split_key(tools, &plan, make).await?;
    let inner = wrap(tools, &plan, split, deadline).await?;
    let allowed = authorization.may_have_sealed(&inner);
    allowed.map_err(WrapError::NotAllowed)?;
    Ok(offer(tools, inner, image, deadline, &reports).await?)
}

/// What would only fail after keys were used.
fn check(request: &SealRequest) -> Result<(), SealError> {
    let fault = |field, what: String| Err(SealError::Request { field, what });
    let count = request.keys.len();
    if count == 0 || count > usize::from(sealed_blob::MAX_SHARES) {
        return fault("keys", format!("{count} keys; allowed: 1 to 10"));
    }
    if request.threshold == 0 || usize::from(request.threshold) > count {
        let what = format!(
            "{} of {count} keys; allowed: 1 to {count}",
            request.threshold
        );
        return fault("threshold", what);
    }
    let distinct: BTreeSet<_> = request.keys.iter().collect();
    if distinct.len() != count {
        return fault(
            "keys",
            "one key is named twice; each share needs its own".into(),
        );
    }
    match request.keys.iter().find(|key| KeyArn::parse(key).is_none()) {
        // An alias can be pointed at another key by whoever may update it.
        Some(key) => fault(
            "keys",
            format!("{key:?}; allowed: full ARNs of keys, no aliases"),
        ),
        None => Ok(()),
    }
}
