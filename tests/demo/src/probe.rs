//! Who can decrypt the shares right now: asked of KMS itself, by pods that try.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_api::names::{self, BLOB_KEY};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::DeleteParams;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::Tenant;
use crate::kubernetes;
use crate::manifests::{self, ADMIN_CREDENTIALS, CHAMBER_CREDENTIALS, aws_environment, nsm_volume};
use crate::releases::{Release, Releases};
use crate::wait::{self, MINUTE, Seen};

/// What a probe reports for a share that it could decrypt.
pub const ALLOWED: &str = "allowed";
/// What it reports where a policy says no.
pub const REFUSED: &str = "AccessDeniedException";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// The enclave role, attesting release v1.
    EnclaveV1,
    /// The enclave role, attesting release v2.
    EnclaveV2,
    /// The enclave role without attestation: the parent instance.
    WithoutAttestation,
    /// The key holders' admin role, even with an enclave of release v2.
    KeyAdmin,
}

impl Asker {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::EnclaveV1,
        Self::EnclaveV2,
        Self::WithoutAttestation,
        Self::KeyAdmin,
    ];

    fn pod(self) -> &'static str {
        match self {
            Self::EnclaveV1 => "enclave-v1",
            Self::EnclaveV2 => "enclave-v2",
            Self::WithoutAttestation => "no-attestation",
            Self::KeyAdmin => "key-admin",
        }
    }

    fn image(self, releases: &Releases) -> &str {
        match self {
            Self::EnclaveV1 => &releases.v1.image,
            _ => &releases.v2.image,
        }
    }

    fn credentials(self) -> &'static str {
        match self {
            Self::KeyAdmin => ADMIN_CREDENTIALS,
            _ => CHAMBER_CREDENTIALS,
        }
    }
}

/// Key ARN to result: [`ALLOWED`] or KMS's error code.
pub type Answers = BTreeMap<String, String>;

/// The wrapped shares of a sealed cluster, in the form that `dev-chamber probe` reads.
#[derive(Clone, Debug)]
pub struct Shares(Value);

#[derive(Deserialize)]
struct Answer {
    key: String,
    result: String,
}

/// The shares from the Secret that holds the blob bound to `release`: registers are public, so anybody may open it.
pub async fn shares(client: &Client, tenant: &Tenant, release: &Release) -> Result<Shares> {
    let measurement = release.parsed()?;
    let name = names::sealed_secret(&tenant.name, &measurement.id());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &tenant.namespace);
    let secret = secrets
        .get(&name)
        .await
        .with_context(|| format!("sealed Secret {name}"))?;
    let blob = secret
        .data
        .and_then(|mut data| data.remove(BLOB_KEY))
        .with_context(|| format!("Secret {name} has no key {BLOB_KEY}"))?;
    // The value is what the container gets in its environment: text.
    let blob = BASE64
        .decode(&blob.0)
        .with_context(|| format!("Secret {name}, key {BLOB_KEY}"))?;
    let inner = sealed_blob::open(&blob, |index| measurement.register(index).copied())
        .with_context(|| format!("blob of Secret {name}"))?;
    let share = |(index, share): (u8, &sealed_blob::SealedShare)| {
        json!({
            "key": share.key_arn,
            "ciphertext": BASE64.encode(&share.ciphertext),
            "context": sealed_blob::encryption_context(&inner.cluster_id, index, inner.generation),
        })
    };
    Ok(Shares((1..).zip(&inner.shares).map(share).collect()))
}

/// Asks as everyone, at the same time. `moment` is part of the pods' names.
pub async fn ask_all(
    client: &Client,
    tenant: &Tenant,
    releases: &Releases,
    shares: &Shares,
    moment: &str,
) -> Result<BTreeMap<Asker, Answers>> {
    let asks = Asker::ALL.map(|asker| async move {
        let answers = ask(client, tenant, asker, asker.image(releases), shares, moment).await;
        answers.map(|answers| (asker, answers))
    });
    let answers = futures::future::try_join_all(asks).await?;
    Ok(answers.into_iter().collect())
}

async fn ask(
    client: &Client,
    tenant: &Tenant,
    asker: Asker,
    image: &str,
    shares: &Shares,
    moment: &str,
) -> Result<Answers> {
    let name = format!("probe-{moment}-{}", asker.pod());
    kubernetes::apply(client, &pod(tenant, asker, &name, image, shares)).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &tenant.namespace);
    let ended = wait::until(&pods, &name, MINUTE, "the probe to end", phase).await?;
    let log = kubernetes::logs(client, &tenant.namespace, &name).await?;
    if ended != "Succeeded" {
        return Err(anyhow!("probe {name} {ended}: {}", log.trim()));
    }
    pods.delete(&name, &DeleteParams::default().grace_period(0))
        .await?;
    read(&log, tenant).with_context(|| format!("probe {name} said {log:?}"))
}

fn phase(pod: Option<&Pod>) -> Seen<String> {
    let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.clone());
    match phase {
        Some(phase) if phase == "Succeeded" || phase == "Failed" => Seen::Yes(phase),
        _ => Seen::NotYet(pod.and_then(kubernetes::trouble).unwrap_or_default()),
    }
}

/// One JSON line a share; every key of the tenant must be among them.
fn read(log: &str, tenant: &Tenant) -> Result<Answers> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let answers: Answers = lines
        .map(|line| serde_json::from_str(line).map(|Answer { key, result }| (key, result)))
        .collect::<Result<_, _>>()?;
    for key in tenant.key_arns() {
        if !answers.contains_key(&key) {
            return Err(anyhow!("no answer for {key}"));
        }
    }
    Ok(answers)
}

fn pod(tenant: &Tenant, asker: Asker, name: &str, image: &str, shares: &Shares) -> Value {
    let mut arguments = vec!["probe".to_owned()];
    if asker == Asker::WithoutAttestation {
        arguments.push("--without-attestation".to_owned());
    }
    let (mount, volume) = nsm_volume();
    let mut environment = aws_environment();
    if let Some(variables) = environment.as_array_mut() {
        variables.push(json!({"name": "CHAMBER_PROBE_SHARES", "value": shares.0.to_string()}));
    }
    let extra = json!({
        "env": environment,
        "envFrom": [{"secretRef": {"name": asker.credentials()}}],
        "volumeMounts": [mount],
    });
    let mut pod = manifests::helper_pod(&tenant.namespace, name, image, &arguments, extra);
    pod["spec"]["volumes"] = json!([volume]);
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant() -> Tenant {
        Tenant::new("demo", "signer", "id", 2).unwrap()
    }

    fn line(key: &str, result: &str) -> String {
        json!({"key": key, "result": result}).to_string()
    }

    #[test]
    fn reads_one_answer_a_key() {
        let tenant = tenant();
        let keys = tenant.key_arns();
        let log = format!(
            "starting\n{}\n{}\n",
            line(&keys[0], ALLOWED),
            line(&keys[1], REFUSED)
        );
        let answers = read(&log, &tenant).unwrap();
        assert_eq!(
            (answers[&keys[0]].as_str(), answers[&keys[1]].as_str()),
            (ALLOWED, REFUSED)
        );
    }

    #[test]
    fn a_key_without_answer_is_an_error_and_not_a_refusal() {
        let tenant = tenant();
        let keys = tenant.key_arns();
        let error = read(&line(&keys[0], REFUSED), &tenant).unwrap_err();
        assert!(error.to_string().contains(&keys[1]), "{error}");
    }

    #[test]
    fn only_the_one_without_attestation_says_so() {
        let tenant = tenant();
        for asker in Asker::ALL {
            let pod = pod(&tenant, asker, "p", "i", &Shares(json!([])));
            let arguments = pod["spec"]["containers"][0]["args"]
                .as_array()
                .unwrap()
                .len();
            assert_eq!(arguments == 2, asker == Asker::WithoutAttestation);
        }
    }
}
