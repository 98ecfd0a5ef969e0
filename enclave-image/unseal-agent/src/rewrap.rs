//! A new generation: the same master key, split anew and wrapped under the keys of the next manifest.

use std::sync::Arc;

use attestation::{Claims, Root};
use chamber_link::ShareResult;
use cluster_manifest::{Manifest, ManifestError, NotSuccessor, SignedManifest, check_rewrap};
use sealed_blob::{InnerBlob, MasterKey};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::wrap::{Plan, deadline, hopeless, offer, own_image, split_key, wrap};
use crate::{
    Attempt, Authorization, Backoff, EnvelopeError, Kms, Nsm, Sealed, ShareReport, Tools,
    WrapError, outer,
};

/// Why there is no new generation. The old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RewrapError {
    /// The image measures no authority, so nothing says whose keys the new ones are.
    #[error(
        "this image measures no authority key, so it wraps no share anew: any parent instance could have the master key wrapped under keys of its own; first release an image that measures an authority key"
    )]
    NoAuthority,
    /// The manifest of the generation before is none.
    #[error("the manifest of the generation before: {0}")]
    Previous(#[from] ManifestError),
    /// The outer layer does not come off.
    #[error("{0}")]
    Outer(String),
    /// The manifests, or the blob, do not follow each other.
    #[error(transparent)]
    NotSuccessor(#[from] NotSuccessor),
    /// Too few shares of the old generation opened.
    #[error("generation {generation} does not open, so there is nothing to wrap anew: {why}")]
    StaysSealed {
        /// The old one.
        generation: u32,
        /// What became of its shares.
        why: String,
    },
    /// This enclave cannot ask for shares.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// No blob came of it.
    #[error(transparent)]
    Wrap(#[from] WrapError),
}

/// Opens this blob, whose manifest was `previous`, and seals its master key again under the manifest that this enclave took.
///
/// Keys and threshold come from that manifest alone. `reports` hears of each share that is asked for, of both generations.
pub async fn rewrap<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    authorization: &Authorization,
    (blob, previous): (&str, &str),
    reports: UnboundedSender<ShareReport>,
) -> Result<Sealed, RewrapError> {
    let Authorization::Under {
        manifest,
        digest,
        root,
    } = authorization
    else {
        return Err(RewrapError::NoAuthority);
    };
    let image = own_image(&*tools.nsm)?;
    let old = source(&*tools.nsm, (manifest, root), (blob, previous))?;
    let plan = Plan {
        cluster_id: manifest.cluster_id.clone(),
        generation: manifest.generation,
        threshold: manifest.threshold,
        keys: manifest.keys.clone(),
        manifest: Some(*digest),
        claims: |core| Claims::Rewrap { core },
    };
    let key = recover(tools, old, &reports).await?;
    let split = split_key(tools, &plan, move |_| Ok(key)).await?;
    let deadline = deadline();
    let inner = wrap(tools, &plan, split, deadline).await?;
    let allowed = authorization.may_unseal(&inner);
    allowed.map_err(WrapError::NotAllowed)?;
    Ok(offer(tools, inner, image, deadline, &reports).await?)
}

/// The layer that is to be opened, once everything about it and the two manifests fits.
fn source(
    nsm: &impl Nsm,
    (next, root): (&Manifest, &Root),
    (blob, previous): (&str, &str),
) -> Result<Arc<InnerBlob>, RewrapError> {
    let previous = SignedManifest::from_text(previous)?;
    let (_, inner) = outer::open(nsm, blob).map_err(RewrapError::Outer)?;
    // The next manifest vouches for this one by its digest: its own signatures could be of an authority that was rotated.
    check_rewrap(next, previous.unverified(), &inner, root)?;
    Ok(Arc::new(inner))
}

/// The master key, as soon as enough shares are there: keys may be dead, that is what generations are for.
async fn recover<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    old: Arc<InnerBlob>,
    reports: &UnboundedSender<ShareReport>,
) -> Result<MasterKey, RewrapError> {
    let (mut backoff, deadline) = (Backoff::default(), deadline());
    loop {
        let mut attempt = Attempt::start(tools, Arc::clone(&old)).await?;
        let (mut faults, mut lost) = (Vec::new(), 0);
        let mut why = String::new();
        while let Some(report) = attempt.next().await {
            if report.result != ShareResult::Opened {
                faults.push(format!("{}: {}", report.key_arn, report.detail));
                lost += usize::from(hopeless(report.result));
            }
            // Nobody has to listen.
            let _ = reports.send(report);
            match attempt.recover() {
                // With it the attempt goes, and all shares that it holds.
                Ok(found) => return Ok(found.key),
                Err(error) => why = format!("{error} ({})", faults.join("; ")),
            }
        }
        let delay = backoff.delay();
        let in_vain = old.shares.len() - lost < usize::from(old.threshold);
        if in_vain || Instant::now() + delay > deadline {
            let generation = old.generation;
            return Err(RewrapError::StaysSealed { generation, why });
        }
        drop(attempt);
        tracing::warn!(?delay, "too few shares of the old generation, trying again");
        tokio::time::sleep(delay).await;
    }
}
