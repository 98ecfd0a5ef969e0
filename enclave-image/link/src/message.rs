//! The messages, both ways.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::parse::Wiped;

/// From the host to the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "camelCase")]
pub enum ToAgent {
    /// The first message: what to do.
    Start(Start),
    /// Answer to [`ToHost::NeedCredentials`].
    Credentials(Credentials),
    /// Other answer to [`ToHost::NeedCredentials`]: why there are none.
    NoCredentials(String),
    /// A document that proves this enclave's state is wanted; answered by [`ToHost::Attestation`] or
    /// [`ToHost::NoAttestation`]. Of those that come while one is answered, the last is.
    Attest {
        /// 16 to 64 bytes, hex: the document carries them.
        nonce: String,
    },
    /// End the workload gracefully, then close the stream.
    Stop,
}

/// What the agent is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// AWS region of the KMS endpoint.
    pub region: String,
    /// The cluster manifest that the task is done under, base64 with its signatures, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// What to do there.
    pub task: Task,
}

/// The agent's three tasks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Unseal this blob, hand the master key to the workload, and keep it running.
    Unseal {
        /// The sealed blob, base64.
        blob: String,
        /// The cluster that the blob has to be of, where the host knows it.
        #[serde(rename = "clusterId")]
        cluster_id: Option<String>,
    },
    /// Make a master key and seal it, once.
    Seal(SealRequest),
    /// Wrap the shares of a master key anew, once, as [`Start::manifest`] says: its next generation. Agents of older images
    /// know nothing of it, and end.
    Rewrap {
        /// The sealed blob of the generation before, base64.
        blob: String,
        /// The manifest of that generation, base64 with its signatures.
        previous: String,
    },
}

/// A request for the first seal: `CHAMBER_SEAL_REQUEST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealRequest {
    /// Cluster that the master key is for.
    pub cluster_id: String,
    /// Counts the wrappings of one master key: 1 for the first.
    pub generation: u32,
    /// How many shares open it.
    pub threshold: u8,
    /// Full ARN of each share's key, in order.
    pub keys: Vec<String>,
}

/// Temporary AWS credentials, wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase", from = "Received")]
pub struct Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Token of a session.
    pub session_token: Option<String>,
    /// End of validity, seconds since 1970.
    pub expires_at: Option<u64>,
}

/// Credentials while they are read: each text is wiped where a later one is at fault.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    access_key_id: Wiped,
    secret_access_key: Wiped,
    session_token: Option<Wiped>,
    expires_at: Option<u64>,
}

impl From<Received> for Credentials {
    fn from(received: Received) -> Self {
        Self {
            access_key_id: received.access_key_id.take(),
            secret_access_key: received.secret_access_key.take(),
            session_token: received.session_token.map(Wiped::take),
            expires_at: received.expires_at,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// From the agent to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ToHost {
    /// The first message: which image runs.
    Hello {
        /// PCR0, 96 hex characters.
        image_sha384: String,
        /// It answers [`ToAgent::Attest`]. Agents of older images do not say so, and end at a message that they do not know.
        #[serde(default)]
        attests: bool,
    },
    /// Credentials are wanted; answered by [`ToAgent::Credentials`] or [`ToAgent::NoCredentials`].
    NeedCredentials(Wanted),
    /// What became of one share in one attempt.
    Share {
        /// ARN of its key.
        key: String,
        /// How it ended.
        result: ShareResult,
        /// KMS's error code, or what is wrong in the agent's words; empty when opened.
        detail: String,
    },
    /// An attempt to unseal failed; the agent tries again by itself.
    AttemptFailed {
        /// Why.
        message: String,
        /// Until the next attempt.
        retry_in_millis: u64,
    },
    /// The workload has the master key.
    Unsealed {
        /// Since the attempt began.
        millis: u64,
    },
    /// Shares that do not fit the others: somebody tampered with them.
    Spoiled {
        /// Their Shamir indices.
        indices: Vec<u8>,
    },
    /// The workload ended by itself; the agent unseals again.
    WorkloadEnded {
        /// How.
        message: String,
    },
    /// The result of [`Task::Seal`] or [`Task::Rewrap`].
    Sealed {
        /// The sealed blob, base64.
        blob: String,
        /// The commitment to the master key, 64 hex characters.
        commitment: String,
    },
    /// Answer to [`ToAgent::Attest`].
    Attestation {
        /// The nonce that it is for, hex.
        nonce: String,
        /// The attestation document, base64.
        document: String,
    },
    /// Other answer to [`ToAgent::Attest`]: why there is no document.
    NoAttestation {
        /// The nonce that was asked with.
        nonce: String,
        /// Why.
        message: String,
    },
    /// [`Task::Seal`] or [`Task::Rewrap`] failed for good.
    SealFailed {
        /// Why.
        message: String,
    },
}

/// Why an agent asks for credentials. Agents of older images say nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// Access key id of the last credentials, where KMS called them expired: the host fetches others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The enclave's clock, seconds since 1970: the host tells one that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<u64>,
}

/// How one share ended in one attempt; also the label `result` of `chamber_tee_share_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareResult {
    /// Opened.
    Opened,
    /// KMS refused: its key policy does not admit this measurement (or this role).
    Denied,
    /// KMS asked to slow down.
    Throttled,
    /// No answer, or a failure on KMS's side.
    Transient,
    /// The key is disabled, pending deletion, or gone.
    KeyUnusable,
    /// Anything else: a wrong ciphertext, a wrong request, an answer that is not what it should be.
    Invalid,
}

impl ShareResult {
    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::KeyUnusable => "key_unusable",
            Self::Invalid => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_not_known_is_no_message() {
        let start = |task: &str| {
            let json = format!(r#"{{"type":"start","value":{{"region":"r","task":{task}}}}}"#);
            serde_json::from_str::<ToAgent>(&json)
        };
        let known = start(r#"{"rewrap":{"blob":"AAAA","previous":"BBBB"}}"#);
        let Ok(ToAgent::Start(Start { task, .. })) = known else {
            panic!("{known:?}");
        };
        assert!(
            matches!(task, Task::Rewrap { blob, previous } if blob == "AAAA" && previous == "BBBB")
        );
        assert!(start(r#"{"teleport":{}}"#).is_err());
    }
}
