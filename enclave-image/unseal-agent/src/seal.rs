//! The first seal: a new master key, split, wrapped, bound, and opened once to be sure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use attestation::Claims;
use chamber_link::{SealRequest, ShareResult};
use cluster_manifest::Digest;
use measurement::Measurement;
use sealed_blob::{
    FormatError, InnerBlob, MasterKey, Origin, SealedShare, ShamirError, Share, bind, commitment,
    encryption_context, split,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{
    Attempt, Authorization, Backoff, DocumentContent, EncryptRequest, EnvelopeError, Kms, KmsFault,
    Nsm, NsmError, ShareReport, Tools,
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

/// Why nothing was sealed. No share of the key that was made exists anywhere any more.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The request makes no blob.
    #[error("seal request, {field}: {what}")]
    Request {
        /// The field at fault.
        field: &'static str,
        /// What was found and what is allowed.
        what: String,
    },
    /// The cluster manifest does not allow it, or does not allow what came of it.
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
    Wrap {
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

impl From<ShamirError> for SealError {
    fn from(error: ShamirError) -> Self {
        Self::Blob(error.to_string())
    }
}

impl From<FormatError> for SealError {
    fn from(error: FormatError) -> Self {
        Self::Blob(error.to_string())
    }
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
    let image = tools.nsm.pcr(0)?;
    if image.is_zero() {
        return Err(SealError::DebugEnclave);
    }
    let deadline = Instant::now() + PATIENCE;
    let (commitment, shares) = make_shares(tools, request).await?;
    let mut sealed = Vec::new();
    for (share, key) in shares.iter().zip(&request.keys) {
        sealed.push(wrap(tools, request, share, key, deadline).await?);
    }
    drop(shares);
    let mut inner = InnerBlob {
        cluster_id: request.cluster_id.clone(),
        generation: request.generation,
        threshold: request.threshold,
        shares: sealed,
        commitment,
        origin: Some(Origin {
            manifest: authorization.digest().map(|digest| *digest.as_bytes()),
            document: Vec::new(),
        }),
    };
    certify(tools, &mut inner).await?;
    let may_have_sealed = authorization.may_have_sealed(&inner);
    may_have_sealed.map_err(SealError::NotAllowed)?;
    let inner = Arc::new(inner);
    let blob = bind(&inner, &Measurement::image(image))?;
    prove(tools, &inner, deadline, &reports).await?;
    Ok(Sealed { blob, commitment })
}

/// Adds this enclave's document over the layer's core, so that others can tell that an enclave made it.
async fn certify<N: Nsm, K>(tools: &Tools<N, K>, inner: &mut InnerBlob) -> Result<(), SealError> {
    let core = *Digest::of(&inner.core()?).as_bytes();
    let claims = Claims::Seal { core }.encode();
    let content = DocumentContent {
        user_data: Some(claims.map_err(|error| SealError::Blob(error.to_string()))?),
        ..DocumentContent::default()
    };
    let nsm = Arc::clone(&tools.nsm);
    let made = spawn_blocking(move || nsm.attestation_document(content)).await;
    let document = made.map_err(|error| SealError::Blob(error.to_string()))??;
    if let Some(origin) = &mut inner.origin {
        origin.document = document;
    }
    Ok(())
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
    match request.keys.iter().find(|key| !is_key_arn(key)) {
        // An alias can be pointed at another key by whoever may update it.
        Some(key) => fault(
            "keys",
            format!("{key:?}; allowed: full ARNs of keys, no aliases"),
        ),
        None => Ok(()),
    }
}

fn is_key_arn(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "kms", _, _, resource] if resource.starts_with("key/"))
}

/// The key and its shares, from the security module's random bytes; the key itself is wiped here.
async fn make_shares<N: Nsm, K>(
    tools: &Tools<N, K>,
    request: &SealRequest,
) -> Result<([u8; 32], Vec<Share>), SealError> {
    let (nsm, request) = (Arc::clone(&tools.nsm), request.clone());
    let made = spawn_blocking(move || {
        let key = MasterKey::fill(|bytes| nsm.random(bytes))?;
        let count = u8::try_from(request.keys.len()).unwrap_or(u8::MAX);
        let random = |out: &mut [u8]| nsm.random(out).map_err(|_| ShamirError::Random);
        let shares = split(&key, request.threshold, count, random)?;
        let commitment = commitment(&key, &request.cluster_id);
        Ok((commitment, shares))
    });
    made.await
        .unwrap_or_else(|error| Err(SealError::Blob(error.to_string())))
}

async fn wrap<N, K: Kms>(
    tools: &Tools<N, K>,
    request: &SealRequest,
    share: &Share,
    key: &str,
    deadline: Instant,
) -> Result<SealedShare, SealError> {
    let mut backoff = Backoff::default();
    loop {
        let asked = EncryptRequest {
            key_arn: key.to_owned(),
            plaintext: Zeroizing::new(share.expose().to_vec()),
            context: encryption_context(&request.cluster_id, share.index(), request.generation),
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
            return Err(SealError::Wrap { key, fault });
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

/// What waiting does not cure. A refusal may only mean that a policy has not arrived everywhere.
fn hopeless(result: ShareResult) -> bool {
    matches!(result, ShareResult::Invalid | ShareResult::KeyUnusable)
}

/// Opens every share: a blob that was never opened could be the only copy of a key that is lost.
async fn prove<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    inner: &Arc<InnerBlob>,
    deadline: Instant,
    reports: &UnboundedSender<ShareReport>,
) -> Result<(), SealError> {
    let mut backoff = Backoff::default();
    loop {
        let failed = |error: EnvelopeError| SealError::DoesNotOpen(error.to_string());
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
                Ok(found) => Err(SealError::DoesNotOpen(format!(
                    "shares {:?}",
                    found.spoiled
                ))),
                Err(error) => Err(SealError::DoesNotOpen(error.to_string())),
            };
        }
        let delay = backoff.delay();
        if lost || Instant::now() + delay > deadline {
            return Err(SealError::DoesNotOpen(faults.join("; ")));
        }
        tokio::time::sleep(delay).await;
    }
}
