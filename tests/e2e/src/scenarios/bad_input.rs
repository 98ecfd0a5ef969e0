//! Bad input: refused at apply, or blocked with a reason of its own; nothing is rolled, no policy is changed.

use anyhow::{Context, Result, bail, ensure};
use demo::{Tenant, kubernetes};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::stage::Stage;

/// What is wrong, where it goes, and what the refusal must name.
type Fault = (&'static str, Value, &'static str);

/// Faults of the release that the schema can see.
fn of_release() -> Vec<Fault> {
    vec![
        (
            "/spec/release/measurement/imageSha384",
            json!("0x12"),
            "imageSha384",
        ),
        (
            "/spec/release/measurement/imageSha384",
            json!("AB".repeat(48)),
            "imageSha384",
        ),
        (
            "/spec/release/measurement/imageSha384",
            json!("0".repeat(96)),
            "all zeros",
        ),
        ("/spec/release/measurement/pcr8", json!("xyz"), "pcr8"),
        (
            "/spec/release/measurement/pcr8",
            json!("0".repeat(96)),
            "a register of zeros",
        ),
    ]
}

/// Faults of the keys.
fn of_keys(tenant: &Tenant) -> Vec<Fault> {
    vec![
        (
            "/spec/keys/threshold",
            json!(4),
            "threshold is above the number of shares",
        ),
        (
            "/spec/keys/shares/1/arn",
            json!(tenant.key_arns()[0]),
            "two shares name the same key",
        ),
        (
            "/spec/keys/shares",
            json!([
                {"name": "a", "management": "Observed", "arn": "arn:aws:kms:us-east-1:111122223333:key/mrk-0123"},
                {"name": "b", "management": "Observed", "arn": "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123"},
            ]),
            "two shares name replicas of one multi-Region key",
        ),
        (
            "/spec/keys/shares/1/arn",
            json!("arn:aws:kms:us-east-1:111122223333:alias/a"),
            "arn",
        ),
        (
            "/spec/keys/shares/1/assumeRoleArn",
            Value::Null,
            "assumeRoleArn",
        ),
        ("/spec/keys/policy", json!({"pins": ["pcr0"]}), "pins"),
        (
            "/spec/keys/policy",
            json!({"assume": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/A"}}),
            "assume names who asks",
        ),
        (
            "/spec/keys/policy",
            json!({"assume": {"KMS:recipientattestation:PCR8": "a"}}),
            "assume",
        ),
        (
            "/spec/keys/policy",
            json!({"assume": {"SourceVpce": "vpce-1"}}),
            "no condition key",
        ),
    ]
}

/// Faults of all else.
fn of_the_rest() -> Vec<Fault> {
    vec![
        (
            "/spec/chambers/template/spec/containers/0/name",
            json!("other"),
            "no container named `enclave`",
        ),
        ("/spec/verification/prometheus", Value::Null, "prometheus"),
        ("/spec/verification/soakTime", json!("soon"), "soakTime"),
        (
            "/spec/rollover/maxUnavailable",
            json!(0),
            "maxUnavailable and maxSurge are both 0",
        ),
        (
            "/spec/rollover/maxUnavailable",
            json!("0%"),
            "maxUnavailable and maxSurge are both 0",
        ),
        (
            "/spec/rollover/maxSurge",
            json!("a quarter"),
            "maxSurge must be 0 to 100",
        ),
        (
            "/spec/rollover/maxSurge",
            json!(-1),
            "maxSurge must be 0 to 100",
        ),
    ]
}

/// Faults that the schema can see are refused at apply, with the field and the cure.
pub async fn refused_at_apply(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("refused_at_apply")?;
    let faults = of_release()
        .into_iter()
        .chain(of_keys(tenant))
        .chain(of_the_rest());
    for (pointer, value, names) in faults {
        let mut object = stage.object(tenant, &stage.environment.releases.v1);
        put(&mut object, pointer, value)?;
        match kubernetes::dry_run(&stage.environment.client, &object).await {
            Ok(_) => anyhow::bail!("{pointer} was accepted"),
            Err(error) => {
                let message = format!("{error:#}");
                ensure!(
                    message.contains(names),
                    "{pointer}: the refusal does not name {names:?}: {message}"
                );
            }
        }
    }
    let mut good = stage.object(tenant, &stage.environment.releases.v1);
    kubernetes::dry_run(&stage.environment.client, &good)
        .await
        .context("the object without a fault")?;
    put(&mut good, "/spec/rollover/maxSurge", json!("25%"))?;
    put(&mut good, "/spec/rollover/maxUnavailable", json!("0%"))?;
    put(
        &mut good,
        "/spec/keys/policy",
        json!({"pins": ["pcr8", "PCR3"], "assume": {"aws:SourceVpce": "vpce-1", "aws:PrincipalOrgID": "o-1"}}),
    )?;
    kubernetes::dry_run(&stage.environment.client, &good)
        .await
        .context("the object with shares of replicas and registers")?;
    Ok(())
}

/// What the first seal has fixed is refused by the API server, with the field.
async fn fixed_after_the_seal(stage: &Stage, tenant: &Tenant) -> Result<()> {
    let arn = tenant.key_arns().into_iter().next().context("no key")?;
    let (start, last) = arn.split_at(arn.len() - 1);
    let other = format!("{start}{}", if last == "0" { "1" } else { "0" });
    let changes = [
        (
            "/spec/sealing",
            json!("External"),
            "spec.sealing cannot change",
        ),
        (
            "/spec/enclaveRoleAccountId",
            json!("444455556666"),
            "spec.enclaveRoleAccountId cannot change",
        ),
        (
            "/spec/clusterId",
            json!("another"),
            "clusterId is immutable",
        ),
        (
            "/spec/keys/threshold",
            json!(3),
            "spec.keys.threshold and the ARNs",
        ),
        (
            "/spec/keys/shares/0/arn",
            json!(other),
            "spec.keys.threshold and the ARNs",
        ),
    ];
    for (pointer, value, names) in changes {
        let mut object = stage.object(tenant, &stage.environment.releases.v1);
        put(&mut object, pointer, value)?;
        match kubernetes::dry_run(&stage.environment.client, &object).await {
            Ok(_) => bail!("{pointer} may be changed after the first seal"),
            Err(error) => ensure!(
                format!("{error:#}").contains(names),
                "{pointer}: the refusal does not name {names:?}: {error:#}"
            ),
        }
    }
    Ok(())
}

/// Sets a value; null removes it.
fn put(object: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let (parent, member) = pointer.rsplit_once('/').context("pointer")?;
    let parent = object
        .pointer_mut(parent)
        .with_context(|| format!("{pointer} has no parent"))?;
    match (parent.as_object_mut(), value) {
        (Some(members), Value::Null) => drop(members.remove(member)),
        (Some(members), value) => drop(members.insert(member.to_owned(), value)),
        (None, _) => anyhow::bail!("{pointer} is not in an object"),
    }
    Ok(())
}

/// A key that does not exist.
pub async fn unknown_key(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("unknown_key")?;
    let mut object = stage.object(tenant, &stage.environment.releases.v1);
    let arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000";
    put(&mut object, "/spec/keys/shares/1/arn", json!(arn))?;
    kubernetes::apply(&stage.environment.client, &object).await?;
    stage
        .blocked(tenant, "KeyNotFound", &["key b", arn, "spec.keys.shares"])
        .await?;
    stage.untouched(tenant).await
}

/// A key whose policy names another cluster's role.
pub async fn key_of_another_cluster(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("key_of_another_cluster")?;
    let policy = stage.environment.emulator().policy(&tenant.keys[1]).await?;
    let foreign = policy.replace(
        &format!("ChamberEnclaveRole-{}", tenant.cluster_id),
        "ChamberEnclaveRole-other",
    );
    spoilt(
        stage,
        tenant,
        &foreign,
        "KeyOfAnotherCluster",
        "ChamberEnclaveRole-other",
    )
    .await
}

/// A policy that is no JSON.
pub async fn policy_is_not_json(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("policy_is_not_json")?;
    spoilt(
        stage,
        tenant,
        "this is no policy",
        "PolicyUnparsable",
        "JSON",
    )
    .await
}

/// A foreign Deny that would keep the target out.
pub async fn foreign_deny(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("foreign_deny")?;
    let mut policy = tenant.key_policy()?;
    let deny = json!({"Sid": "Freeze", "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"});
    policy["Statement"]
        .as_array_mut()
        .context("Statement")?
        .push(deny);
    spoilt(stage, tenant, &policy.to_string(), "ForeignDeny", "Freeze").await
}

/// Gives key b this policy, and waits for the reason.
async fn spoilt(
    stage: &Stage,
    tenant: &Tenant,
    policy: &str,
    reason: &str,
    names: &str,
) -> Result<()> {
    stage
        .environment
        .emulator()
        .set_policy(&tenant.keys[1], policy)
        .await?;
    stage
        .declare(tenant, &stage.environment.releases.v1)
        .await?;
    stage.blocked(tenant, reason, &["key b", names]).await?;
    stage.untouched(tenant).await
}

/// A Prometheus that is not there.
pub async fn prometheus_missing(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("prometheus_missing")?;
    let mut object = stage.object(tenant, &stage.environment.releases.v1);
    put(
        &mut object,
        "/spec/verification/prometheus/url",
        json!("http://nowhere.monitoring:9090"),
    )?;
    kubernetes::apply(&stage.environment.client, &object).await?;
    stage
        .blocked(
            tenant,
            "PrometheusUnavailable",
            &["spec.verification.prometheus", "nowhere"],
        )
        .await?;
    stage.untouched(tenant).await
}

/// Two `ChamberClusters` with one key: the later one is blocked.
pub async fn one_key_twice(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("one_key_twice")?;
    let v1 = &stage.environment.releases.v1;
    stage.declare(tenant, v1).await?;
    stage.settled(tenant, v1).await?;
    let calls = stage.environment.emulator().audit(0).await?.len();

    let mut later = tenant.clone();
    later.name = "later".into();
    later.cluster_id = "test-later".into();
    stage.declare(&later, v1).await?;
    let arn = &tenant.key_arns()[0];
    let first = format!("{}/signer", tenant.namespace);
    stage
        .blocked(&later, "DuplicateKey", &["spec.keys.shares", arn, &first])
        .await?;
    let after = stage.environment.emulator().audit(calls as u64).await?;
    let writes = after
        .iter()
        .filter(|call| call.operation == "PutKeyPolicy" && call.key.as_ref() == Some(arn))
        .count();
    ensure!(writes == 0, "the later one wrote a policy");

    // The cluster id is the other thing that only one may have.
    let mut twin = later.clone();
    twin.name = "twin".into();
    twin.cluster_id = tenant.cluster_id.clone();
    twin.keys = vec![
        "11111111-1111-1111-1111-111111111111".into(),
        "22222222-2222-2222-2222-222222222222".into(),
    ];
    stage.declare(&twin, v1).await?;
    stage
        .blocked(&twin, "DuplicateClusterId", &["spec.clusterId", &first])
        .await?;
    Ok(())
}

/// The sealed Secret is deleted: the chambers serve on, nothing is sealed anew.
pub async fn sealed_secret_deleted(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("sealed_secret_deleted")?;
    let v1 = &stage.environment.releases.v1;
    stage.declare(tenant, v1).await?;
    stage.settled(tenant, v1).await?;
    fixed_after_the_seal(stage, tenant).await?;
    let secrets: Api<Secret> = Api::namespaced(stage.environment.client.clone(), &tenant.namespace);
    let sealed = secrets
        .list(&ListParams::default().labels("chamber.dev/cluster"))
        .await?;
    let secret = sealed.items.first().context("no sealed Secret")?.clone();
    let encrypted = seals(stage, tenant).await?;
    secrets
        .delete(&secret.name_any(), &DeleteParams::default())
        .await?;

    // A new release makes the operator look for it.
    stage
        .declare(tenant, &stage.environment.releases.v2)
        .await?;
    let status = stage
        .blocked(tenant, "BlobLost", &["sealed Secret", "Restore"])
        .await?;
    ensure!(
        status.chambers_ready.as_deref() == Some("3/3"),
        "chambers were touched: {:?}",
        status.chambers_ready
    );
    ensure!(
        seals(stage, tenant).await? == encrypted,
        "a share was encrypted anew"
    );
    let pods: Api<Pod> = Api::namespaced(stage.environment.client.clone(), &tenant.namespace);
    ensure!(
        pods.get_opt("signer-seal").await?.is_none(),
        "a seal pod was started"
    );

    // Restored from a copy, it goes on by itself.
    let mut copy = secret;
    copy.metadata.resource_version = None;
    copy.metadata.uid = None;
    secrets
        .create(&kube::api::PostParams::default(), &copy)
        .await?;
    stage
        .settled(tenant, &stage.environment.releases.v2)
        .await
        .map(drop)
}

async fn seals(stage: &Stage, tenant: &Tenant) -> Result<usize> {
    let arns = tenant.key_arns();
    let calls = stage.environment.emulator().audit(0).await?;
    let seals = calls.iter().filter(|call| {
        call.operation == "Encrypt" && call.key.as_ref().is_some_and(|key| arns.contains(key))
    });
    Ok(seals.count())
}

/// The operator's account may patch a ChamberCluster, for its finalizer: neither the spec nor a verb.
pub async fn operator_cannot_approve(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("operator_cannot_approve")?;
    stage
        .declare(tenant, &stage.environment.releases.v1)
        .await?;
    let finalizer = json!({"metadata": {"finalizers": ["chamber.dev/one-measurement"]}});
    as_operator(stage, tenant, &finalizer).await?;
    let forbidden = [
        (json!({"spec": {"rollover": {"paused": true}}}), "spec"),
        (
            json!({"metadata": {"annotations": {"chamber.dev/retry": "1"}}}),
            "annotations",
        ),
    ];
    for (change, names) in forbidden {
        match as_operator(stage, tenant, &change).await {
            Ok(()) => bail!("the operator's account wrote {change}"),
            Err(kube::Error::Api(status)) if status.message.contains(names) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Patches the tenant's resource in the name of the operator's account, without storing it.
async fn as_operator(
    stage: &Stage,
    tenant: &Tenant,
    change: &serde_json::Value,
) -> std::result::Result<(), kube::Error> {
    let path = format!(
        "/apis/chamber.dev/v1alpha1/namespaces/{}/chamberclusters/{}?dryRun=All",
        tenant.namespace, tenant.name
    );
    let operator = demo::manifests::OPERATOR;
    let request = http::Request::patch(path)
        .header("Content-Type", "application/merge-patch+json")
        .header(
            "Impersonate-User",
            format!("system:serviceaccount:{operator}:{operator}"),
        )
        .body(change.to_string().into_bytes())
        .map_err(kube::Error::HttpError)?;
    stage
        .environment
        .client
        .request_text(request)
        .await
        .map(drop)
}
