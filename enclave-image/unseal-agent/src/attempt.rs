//! One attempt to unseal: every share asked for at once, each with a document of its own.

use std::sync::Arc;

use chamber_link::ShareResult;
use sealed_blob::{InnerBlob, RecoverError, Recovered, Share, encryption_context, recover};
use tokio::task::{JoinSet, spawn_blocking};

use crate::envelope;
use crate::{
    DecryptRequest, DocumentContent, EnvelopeError, Kms, KmsFault, Nsm, NsmError, RecipientKey,
    Tools,
};

/// What became of one share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareReport {
    /// ARN of its key.
    pub key_arn: String,
    /// Its Shamir index, from 1.
    pub index: u8,
    /// How it ended.
    pub result: ShareResult,
    /// KMS's error code, or what is wrong; empty when opened.
    pub detail: String,
}

/// An attempt under way. Dropping it gives up the requests in flight and wipes the shares.
pub struct Attempt {
    inner: Arc<InnerBlob>,
    running: JoinSet<(ShareReport, Option<Share>)>,
    opened: Vec<Share>,
}

impl Attempt {
    /// Makes a fresh RSA key and asks KMS for all shares.
    pub async fn start<N: Nsm, K: Kms>(
        tools: &Tools<N, K>,
        inner: Arc<InnerBlob>,
    ) -> Result<Self, EnvelopeError> {
        Self::start_for(tools, inner, |_| true).await
    }

    /// The same for some of the shares, by the ARN of their key.
    pub async fn start_for<N: Nsm, K: Kms>(
        tools: &Tools<N, K>,
        inner: Arc<InnerBlob>,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self, EnvelopeError> {
        let key = spawn_blocking(RecipientKey::generate).await;
        let key = key.map_err(|_| EnvelopeError::Open)??;
        Ok(Self::with_key(tools, inner, key, wanted))
    }

    /// The same with a key that was made for this attempt alone.
    pub fn with_key<N: Nsm, K: Kms>(
        tools: &Tools<N, K>,
        inner: Arc<InnerBlob>,
        key: RecipientKey,
        wanted: impl Fn(&str) -> bool,
    ) -> Self {
        let key = Arc::new(key);
        let mut running = JoinSet::new();
        let shares = (1..).zip(&inner.shares);
        for (index, sealed) in shares.filter(|(_, sealed)| wanted(&sealed.key_arn)) {
            let request = DecryptRequest {
                key_arn: sealed.key_arn.clone(),
                ciphertext: sealed.ciphertext.clone(),
                context: encryption_context(&inner.cluster_id, index, inner.generation),
                document: Vec::new(),
            };
            let (tools, key) = (tools.clone(), Arc::clone(&key));
            running.spawn(async move {
                let key_arn = request.key_arn.clone();
                let opened = open_share(&tools, &key, request, index).await;
                report(key_arn, index, opened)
            });
        }
        Self {
            inner,
            running,
            opened: Vec::new(),
        }
    }

    /// The next share that has ended, in the order of their ends; `None` after the last.
    pub async fn next(&mut self) -> Option<ShareReport> {
        loop {
            match self.running.join_next().await? {
                Ok((report, share)) => {
                    self.opened.extend(share);
                    return Some(report);
                }
                Err(error) => tracing::error!(%error, "the task of a share ended without a result"),
            }
        }
    }

    /// The master key from the shares opened so far, if they are enough and fit the commitment.
    pub fn recover(&self) -> Result<Recovered, RecoverError> {
        recover(&self.inner, &self.opened)
    }
}

/// Why a share did not open.
struct ShareFault {
    result: ShareResult,
    detail: String,
}

impl From<KmsFault> for ShareFault {
    fn from(fault: KmsFault) -> Self {
        tracing::debug!(code = fault.code, text = fault.message, "KMS");
        Self {
            result: fault.result,
            detail: fault.detail(),
        }
    }
}

impl From<NsmError> for ShareFault {
    fn from(error: NsmError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<EnvelopeError> for ShareFault {
    fn from(error: EnvelopeError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl ShareFault {
    fn invalid(detail: impl Into<String>) -> Self {
        Self {
            result: ShareResult::Invalid,
            detail: detail.into(),
        }
    }
}

async fn open_share<N: Nsm, K: Kms>(
    tools: &Tools<N, K>,
    key: &Arc<RecipientKey>,
    mut request: DecryptRequest,
    index: u8,
) -> Result<Share, ShareFault> {
    let key_arn = request.key_arn.clone();
    request.document = document(tools, key).await?;
    let reply = tools.kms.decrypt(request).await?;
    if reply.key_id.as_deref() != Some(key_arn.as_str()) {
        return Err(ShareFault::invalid(format!(
            "KMS answered for the key {:?}",
            reply.key_id.unwrap_or_default()
        )));
    }
    let bytes = reply
        .for_recipient
        .ok_or_else(|| ShareFault::invalid("KMS sent no CiphertextForRecipient"))?;
    let plain = envelope::open(&bytes, key)?;
    // Same text as a failed decryption: what the content looked like is nobody's business.
    let share = Share::new(plain).map_err(|_| EnvelopeError::Open)?;
    if share.index() != index {
        return Err(EnvelopeError::Open.into());
    }
    Ok(share)
}

/// A fresh document: KMS refuses old ones, and an unused one is worth nothing to anybody else.
async fn document<N: Nsm, K>(
    tools: &Tools<N, K>,
    key: &Arc<RecipientKey>,
) -> Result<Vec<u8>, ShareFault> {
    let (nsm, key) = (Arc::clone(&tools.nsm), Arc::clone(key));
    let content = DocumentContent {
        public_key: Some(key.public_der().to_vec()),
        ..DocumentContent::default()
    };
    let made = spawn_blocking(move || nsm.attestation_document(content)).await;
    Ok(made.map_err(|_| ShareFault::invalid("no attestation document"))??)
}

fn report(
    key_arn: String,
    index: u8,
    opened: Result<Share, ShareFault>,
) -> (ShareReport, Option<Share>) {
    let (result, detail, share) = match opened {
        Ok(share) => (ShareResult::Opened, String::new(), Some(share)),
        Err(fault) => (fault.result, fault.detail, None),
    };
    let report = ShareReport {
        key_arn,
        index,
        result,
        detail,
    };
    (report, share)
}
