//! `probe`: who can decrypt the shares now? Asks KMS for each share, with this image's attestation or without any.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use aws_config::BehaviorVersion;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyEncryptionMechanism, RecipientInfo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::json;
use unseal_agent::{DocumentContent, Nsm, RecipientKey};

use crate::nsm::EmulatedNsm;
use crate::{Enclave, files};

#[derive(clap::Args)]
pub struct Options {
    /// Ask as somebody who is in no enclave.
    #[arg(long)]
    without_attestation: bool,
    #[command(flatten)]
    enclave: Enclave,
}

/// One entry of `CHAMBER_PROBE_SHARES`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbeShare {
    /// ARN of the key.
    key: String,
    /// KMS's `CiphertextBlob`, base64.
    ciphertext: String,
    /// Its encryption context.
    context: BTreeMap<String, String>,
}

/// Prints one line of JSON a share; succeeds when KMS answered each, whatever it said.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let nsm = if options.without_attestation {
        None
    } else {
        Some(EmulatedNsm(files::security_module(&options.enclave)?.0))
    };
    let shares = shares(nsm.as_ref(), |name| std::env::var(name).ok())?;
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let client = Client::new(&aws);
    let mut answered = true;
    for share in shares {
        let document = nsm.as_ref().map(document).transpose()?;
        match decrypt(&client, &share, document).await? {
            Ok(result) => println!("{}", json!({"key": share.key, "result": result})),
            Err(why) => {
                answered = false;
                println!(
                    "{}",
                    json!({"key": share.key, "result": "unanswered", "error": why})
                );
            }
        }
    }
    Ok(if answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// From `CHAMBER_PROBE_SHARES`, or else from the blob that this image can open.
fn shares(
    nsm: Option<&EmulatedNsm>,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Vec<ProbeShare>> {
    if let Some(json) = variable("CHAMBER_PROBE_SHARES") {
        return serde_json::from_str(&json).context("CHAMBER_PROBE_SHARES");
    }
    let text = variable("TEE_AUTO_UNSEAL_BLOB").ok_or_else(|| {
        anyhow!("set CHAMBER_PROBE_SHARES ([{{\"key\", \"ciphertext\", \"context\"}}]) or TEE_AUTO_UNSEAL_BLOB")
    })?;
    let nsm = nsm.context("without attestation only CHAMBER_PROBE_SHARES can be probed")?;
    let bytes = BASE64.decode(text.trim()).context("TEE_AUTO_UNSEAL_BLOB")?;
    let inner = sealed_blob::open(&bytes, |index| nsm.pcr(index).ok())?;
    let share = |(index, share): (u8, &sealed_blob::SealedShare)| ProbeShare {
        key: share.key_arn.clone(),
        ciphertext: BASE64.encode(&share.ciphertext),
        context: sealed_blob::encryption_context(&inner.cluster_id, index, inner.generation),
    };
    Ok((1..).zip(&inner.shares).map(share).collect())
}

fn document(nsm: &EmulatedNsm) -> anyhow::Result<Vec<u8>> {
    let key = RecipientKey::generate()?;
    Ok(nsm.attestation_document(DocumentContent {
        public_key: Some(key.public_der().to_vec()),
        ..DocumentContent::default()
    })?)
}

/// `allowed` or KMS's error code; the inner error is a missing answer, the outer one a share that makes no request.
async fn decrypt(
    client: &Client,
    share: &ProbeShare,
    document: Option<Vec<u8>>,
) -> anyhow::Result<Result<String, String>> {
    let ciphertext = BASE64
        .decode(&share.ciphertext)
        .with_context(|| format!("the ciphertext of {}", share.key))?;
    let recipient = document.map(|document| {
        RecipientInfo::builder()
            .key_encryption_algorithm(KeyEncryptionMechanism::RsaesOaepSha256)
            .attestation_document(Blob::new(document))
            .build()
    });
    let answer = client
        .decrypt()
        .key_id(&share.key)
        .ciphertext_blob(Blob::new(ciphertext))
        .set_encryption_context(Some(share.context.clone().into_iter().collect()))
        .set_recipient(recipient)
        .send()
        .await;
    Ok(match answer {
        Ok(_) => Ok("allowed".into()),
        Err(error) => match error.as_service_error().and_then(|error| error.code()) {
            Some(code) => Ok(code.to_owned()),
            None => Err(DisplayErrorContext(&error).to_string()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_from_the_environment_as_the_demo_writes_them() {
        let json = r#"[{"key":"arn:k","ciphertext":"AAAA","context":{"a":"b"}}]"#;
        let found = shares(None, |name| {
            (name == "CHAMBER_PROBE_SHARES").then(|| json.into())
        });
        assert_eq!(
            found.unwrap(),
            [ProbeShare {
                key: "arn:k".into(),
                ciphertext: "AAAA".into(),
                context: [("a".into(), "b".into())].into(),
            }]
        );
    }

    #[test]
    fn nothing_to_probe_is_an_error_that_names_both_variables() {
        let error = shares(None, |_| None).unwrap_err().to_string();
        assert!(error.contains("CHAMBER_PROBE_SHARES") && error.contains("TEE_AUTO_UNSEAL_BLOB"));
    }
}
