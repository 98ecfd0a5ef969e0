//! From a master key to a blob that opens: split, wrapped, certified, bound, and opened once to be sure.

use std::sync::Arc;
use std::time::Duration;

use attestation::Claims;
use chamber_link::ShareResult;
use cluster_manifest::Digest;
use measurement::{Measurement, Pcr};
use sealed_blob::{
    FormatError, InnerBlob, MasterKey, Origin, SealedShare, ShamirError, Share, bind, commitment,
    encryption_context, split,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{
    Attempt, Backoff, DocumentContent, EncryptRequest, EnvelopeError, Kms, KmsFault, Nsm, NsmError,
    ShareReport, Tools,
};

/// How long refusals and faults are tried again: a policy that was just changed takes seconds to arrive.
const PATIENCE: Duration = Duration::from_mins(2);

/// A new sealed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The blob, bound to this enclave's PCR0.
    pub blob: Vec<u8>,
    /// The commitment to its master key.
    pub commitment: [u8; 32],
}

/// Why no new blob is offered. No share that was made for it exists in clear any more.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The cluster manifest does not allow what came of it.
    #[error("{0}")]
    NotAllowed(String),
    /// PCR0 is all zeros.
    #[error(
        "PCR0 is all zeros: this enclave runs in debug mode, and anybody's debug enclave could open the blob; start it without --debug-mode"
    )]
    DebugEnclave,
    /// The security module failed.
    #[error(transparent)]
    Nsm(#[from] NsmError),
    /// A share could not be wrapped.
    #[error("Encrypt with {key}: {fault}")]
    Refused {
        /// ARN of the key.
        key: String,
        /// KMS's refusal.
        fault: KmsFault,
    },
    /// Splitting or encoding failed.
    #[error("sealing: {0}")]
    Blob(String),
    /// The new blob did not open.
    #[error("the new blob was made, but does not open, so it is thrown away: {0}")]
    DoesNotOpen(String),
}

impl From<ShamirError> for WrapError {
    fn from(error: ShamirError) -> Self {
        Self::Blob(error.to_string())
    }
}

impl From<FormatError> for WrapError {
    fn from(error: FormatError) -> Self {
        Self::Blob(error.to_string())
    }
}

/// What a blob is to say beside its shares.
pub(crate) struct Plan {
    pub cluster_id: String,
    pub generation: u32,
    pub threshold: u8,
    /// ARN of each share's key, in order.
    pub keys: Vec<String>,
    /// What it is made under, where there is one.
    pub manifest: Option<Digest>,
    /// What the enclave says of the layer's core.
    pub claims: fn([u8; 48]) -> Claims,
}

/// The shares of a master key that is gone.
pub(crate) struct Split {
    shares: Vec<Share>,
    commitment: [u8; 32],
}

/// PCR0 of this enclave, unless anybody's enclave has the same.
pub(crate) fn own_image(nsm: &impl Nsm) -> Result<Pcr, WrapError> {
    let image = nsm.pcr(0)?;
    if image.is_zero() {
        return Err(WrapError::DebugEnclave);
    }
    Ok(image)
}

/// What waiting does not cure. A refusal may only mean that a policy has not arrived everywhere.
pub(crate) fn hopeless(result: ShareResult) -> bool {
    matches!(result, ShareResult::Invalid | ShareResult::KeyUnusable)
}

/// The time until which one step is tried again.
pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// Splits the key that `make` gives with the security module's random bytes; the key itself is wiped here.
pub(crate) async fn split_key<N: Nsm, K>(
    tools: &Tools<N, K>,
    plan: &Plan,
    make: impl FnOnce(&N) -> Result<MasterKey, NsmError> + Send + 'static,
) -> Result<Split, WrapError> {
    let (nsm, cluster_id) = (Arc::clone(&tools.nsm), plan.cluster_id.clone());
    let count = u8::try_from(plan.keys.len()).unwrap_or(u8::MAX);
    let threshold = plan.threshold;
    let done = spawn_blocking(move || {
        let key = make(&nsm)?;
        let random = |out: &mut [u8]| nsm.random(out).map_err(|_| ShamirError::Random);
        Ok(Split {
            shares: split(&key, threshold, count, random)?,
            commitment: commitment(&key, &cluster_id),
        })
    });
    done.await
        .unwrap_or_else(|error| Err(WrapError::Blob(error.to_string())))
}

/// Wraps each share under its key and adds this enclave's document; the shares are wiped here.
pub(crate) async fn wrap<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    plan: &Plan,
    split: Split,
    deadline: Instant,
) -> Result<InnerBlob, WrapError> {
    let Split { shares, commitment } = split;
    let mut wrapped = Vec::new();
    for (share, key) in shares.iter().zip(&plan.keys) {
        wrapped.push(wrap_share(tools, plan, share, key, deadline).await?);
    }
    drop(shares);
    let mut inner = InnerBlob {
        cluster_id: plan.cluster_id.clone(),
        generation: plan.generation,
        threshold: plan.threshold,
        shares: wrapped,
        commitment,
        origin: Some(Origin {
            manifest: plan.manifest.map(|digest| *digest.as_bytes()),
            document: Vec::new(),
        }),
    };
    let document = certify(tools, plan, &inner).await?;
    if let Some(origin) = &mut inner.origin {
        origin.document = document;
    }
    Ok(inner)
}

/// This enclave's document over the layer's core, so that others can tell that an enclave made it.
async fn certify<N: Nsm, K>(
    tools: &Tools<N, K>,
    plan: &Plan,
    inner: &InnerBlob,
) -> Result<Vec<u8>, WrapError> {
    let core = *Digest::of(&inner.core()?).as_bytes();
    let claims = (plan.claims)(core).encode();
    let content = DocumentContent {
        user_data: Some(claims.map_err(|error| WrapError::Blob(error.to_string()))?),
        ..DocumentContent::default()
    };
    let nsm = Arc::clone(&tools.nsm);
    let made = spawn_blocking(move || nsm.attestation_document(content)).await;
    Ok(made.map_err(|error| WrapError::Blob(error.to_string()))??)
}

async fn wrap_share<N, K: Kms>(
    tools: &Tools<N, K>,
    plan: &Plan,
    share: &Share,
    key: &str,
    deadline: Instant,
) -> Result<SealedShare, WrapError> {
    let mut backoff = Backoff::default();
    loop {
        let asked = EncryptRequest {
            key_arn: key.to_owned(),
            plaintext: Zeroizing::new(share.expose().to_vec()),
            context: encryption_context(&plan.cluster_id, share.index(), plan.generation),
        };
        let fault = match tools.kms.encrypt(asked).await {
            Ok(reply) if reply.key_id.as_deref() == Some(key) => {
                return Ok(SealedShare {
                    key_arn: key.to_owned(),
                    ciphertext: reply.ciphertext.unwrap_or_default(),
                });
            }
            Ok(reply) => KmsFault {
                result: ShareResult::Invalid,
                code: "OtherKey".into(),
                message: format!("KMS answered for {:?}", reply.key_id.unwrap_or_default()),
            },
            Err(fault) => fault,
        };
        let delay = backoff.delay();
        if hopeless(fault.result) || Instant::now() + delay > deadline {
            let key = key.to_owned();
            return Err(WrapError::Refused { key, fault });
        }
        tracing::warn!(
            key,
            code = fault.code,
            ?delay,
            "Encrypt failed, trying again"
        );
        tokio::time::sleep(delay).await;
    }
}

/// Binds the layer to this image, and opens every share first: a blob that was never opened could be the only copy of a key.
pub(crate) async fn offer<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    inner: InnerBlob,
    image: Pcr,
    deadline: Instant,
    reports: &UnboundedSender<ShareReport>,
) -> Result<Sealed, WrapError> {
    let inner = Arc::new(inner);
    let blob = bind(&inner, &Measurement::image(image))?;
    prove(tools, &inner, deadline, reports).await?;
    Ok(Sealed {
        blob,
        commitment: inner.commitment,
    })
}

async fn prove<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    inner: &Arc<InnerBlob>,
    deadline: Instant,
    reports: &UnboundedSender<ShareReport>,
) -> Result<(), WrapError> {
    let mut backoff = Backoff::default();
    loop {
        let failed = |error: EnvelopeError| WrapError::DoesNotOpen(error.to_string());
        let mut attempt = Attempt::start(tools, Arc::clone(inner))
            .await
            .map_err(failed)?;
        let mut faults = Vec::new();
        let mut lost = false;
        while let Some(report) = attempt.next().await {
            if report.result != ShareResult::Opened {
                faults.push(format!("{}: {}", report.key_arn, report.detail));
                lost |= hopeless(report.result);
            }
            // Nobody has to listen.
            let _ = reports.send(report);
        }
        if faults.is_empty() {
            return match attempt.recover() {
                Ok(found) if found.spoiled.is_empty() => Ok(()),
                Ok(found) => Err(WrapError::DoesNotOpen(format!(
                    "shares {:?}",
                    found.spoiled
                ))),
                Err(error) => Err(WrapError::DoesNotOpen(error.to_string())),
            };
        }
        let delay = backoff.delay();
        if lost || Instant::now() + delay > deadline {
            return Err(WrapError::DoesNotOpen(faults.join("; ")));
        }
        tokio::time::sleep(delay).await;
    }
}
