//! A key that stays in KMS: it gets the digest of what is signed.

use std::time::Duration;

use anyhow::{Context, bail};
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_lc_rs::digest::{SHA384, digest};
use aws_sdk_kms::Client;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use cluster_manifest::KeyArn;
use x509_parser::der_parser::asn1_rs::{FromDer, Integer, Sequence};

/// Bytes of r, and of s, on P-384.
const SCALAR: usize = 48;
/// What the call may take, retries included.
const CALL: Duration = Duration::from_secs(20);
/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A signature over a message: r, then s. Credentials and endpoint are those of AWS's standard environment.
pub fn sign(arn: &str, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Some(KeyArn { region, .. }) = KeyArn::parse(arn) else {
        bail!("--kms-key {arn}: expected arn:aws:kms:<region>:<account>:key/<id>");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let der = runtime.block_on(ask(arn, region.to_owned(), message))?;
    fixed(&der)
        .with_context(|| format!("{arn}: kms:Sign gives a signature that is no DER of P-384"))
}

async fn ask(arn: &str, region: String, message: &[u8]) -> anyhow::Result<Vec<u8>> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    let environment = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        .region(Region::new(region));
    let answer = Client::new(&environment.load().await)
        .sign()
        .key_id(arn)
        .message_type(MessageType::Digest)
        .message(Blob::new(digest(&SHA384, message).as_ref()))
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha384)
        .send()
        .await;
    let answer = answer
        .map_err(|error| anyhow::anyhow!("{arn}: kms:Sign: {}", DisplayErrorContext(error)))?;
    let signature = answer.signature.map(Blob::into_inner);
    signature.with_context(|| format!("{arn}: kms:Sign gives no signature"))
}

/// `r | s` of a DER `ECDSA-Sig-Value` on P-384; `None` for any other bytes.
fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let (rest, numbers) = Sequence::from_der(der).ok()?;
    let (numbers, r) = Integer::from_der(&numbers.content).ok()?;
    let (end, s) = Integer::from_der(numbers).ok()?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    Some([scalar(&r)?, scalar(&s)?].concat())
}

/// A positive integer, filled up with zeros in front.
fn scalar(number: &Integer<'_>) -> Option<[u8; SCALAR]> {
    let digits = match number.as_ref() {
        [0, rest @ ..] => rest,
        [0x80..=0xff, ..] | [] => return None,
        all => all,
    };
    let mut out = [0; SCALAR];
    let start = SCALAR.checked_sub(digits.len())?;
    out[start..].copy_from_slice(digits);
    Some(out)
}
