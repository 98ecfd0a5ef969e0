//! Key policies: the profile, keys that somebody else rolled, and a plan before anything is changed.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use chamber_api::{ChamberClusterStatus, PlanStatus};
use demo::aws::REGION;
use demo::manifests::AWS_NAMESPACE;
use demo::{Release, Tenant, load};
use key_policy::Policy;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::audit::policy_writes;
use crate::outside;
use crate::programs;
use crate::stage::{self, SOON, Stage};

/// Standard -> Pinned -> v2 -> Standard while a client signs: no request fails, and status says what binds.
pub async fn profile_pinned(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("profile_pinned")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    load::start(&stage.environment.client, tenant, v1).await?;
    profile(stage, tenant, "Pinned", "True").await?;
    denied_but(stage, tenant, &[v1]).await?;
    let status = stage.settle(tenant, v2).await?;
    stage::only(&status, v2)?;
    denied_but(stage, tenant, &[v2]).await?;
    profile(stage, tenant, "Standard", "False").await?;
    denied_but(stage, tenant, &[]).await?;

    let calls = stage.environment.emulator().audit(0).await?;
    for arn in tenant.key_arns() {
        let count = policy_writes(&calls, &arn).len();
        ensure!(
            count == 5,
            "{arn} was written {count} times: start, Pinned, Admit, Retire, Standard"
        );
    }
    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.failed == 0 && counted.public_keys.len() == 1,
        "{} of {} requests failed: {:?}",
        counted.failed,
        counted.sent,
        counted.last_error
    );
    Ok(())
}

async fn profile(stage: &Stage, tenant: &Tenant, profile: &str, binding: &str) -> Result<()> {
    let policy = json!({"keys": {"policy": {"profile": profile}}});
    stage.change(tenant, policy).await?;
    let binds = |status: &ChamberClusterStatus| {
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|condition| condition.type_ == "RetirementBinding");
        let in_sync = status.keys.iter().all(|key| key.in_sync);
        in_sync && found.is_some_and(|condition| condition.status == binding)
    };
    let what = format!("profile {profile}, RetirementBinding {binding}");
    stage.until(tenant, SOON, &what, binds).await.map(drop)
}

/// Everybody is denied what these releases do not attest; with none, nobody is denied for that.
async fn denied_but(stage: &Stage, tenant: &Tenant, releases: &[&Release]) -> Result<()> {
    let wanted: Vec<_> = releases
        .iter()
        .map(|release| release.image_sha384())
        .collect();
    for key in &tenant.keys {
        let policy: Value = serde_json::from_str(&stage.environment.emulator().policy(key).await?)?;
        let pointer = "/Condition/StringNotEqualsIgnoreCase/kms:RecipientAttestation:ImageSha384";
        let statements = policy["Statement"].as_array().context("Statement")?;
        let found: Vec<_> = statements
            .iter()
            .filter(|statement| statement["Sid"] == "DenyDataOpsWithOtherImageSha384")
            .filter_map(|statement| statement.pointer(pointer))
            .flat_map(|values| match values {
                Value::Array(values) => values.clone(),
                one => vec![one.clone()],
            })
            .collect();
        ensure!(
            found == wanted,
            "key {key} denies all but {found:?}, expected {wanted:?}"
        );
    }
    Ok(())
}

/// What ran before, by hand: its image is on the keys, its chambers are not ours to see.
const BEFORE: &str = "aa";

/// a admits a release of before, b that and the target, c is no policy of ours: first shown, then taken over.
pub async fn keys_taken_over(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("keys_taken_over")?;
    let v1 = &stage.environment.releases.v1;
    let emulator = stage.environment.emulator();
    let before = BEFORE.repeat(48);
    let admitting = |images: Value| -> Result<String> {
        let mut policy = tenant.key_policy()?;
        policy["Statement"][2]["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:ImageSha384"] =
            images;
        Ok(policy.to_string())
    };
    let mut bare = tenant.key_policy()?;
    let statements = bare["Statement"].as_array_mut().context("Statement")?;
    statements.truncate(2);
    statements[0]["Sid"] = json!("Enable IAM User Permissions");
    emulator
        .set_policy(&tenant.keys[0], &admitting(json!([before]))?)
        .await?;
    emulator
        .set_policy(
            &tenant.keys[1],
            &admitting(json!([before, v1.image_sha384()]))?,
        )
        .await?;
    emulator
        .set_policy(&tenant.keys[2], &bare.to_string())
        .await?;

    stage.declare(tenant, v1).await?;
    let status = stage
        .blocked(tenant, "PolicyNotOurs", &["key c", "adopt"])
        .await?;
    let asked = status.keys.iter().find_map(|key| key.asked.as_deref());
    let asked = asked.context("status does not say what c needs")?;
    ensure!(asked.contains("--document c"), "{asked}");
    let folder = policies(stage, tenant).await?;
    document(stage, tenant, &status, folder.path()).await?;
    let told = plan(stage, tenant, 1, folder.path()).await?;
    for part in [
        "PolicyNotOurs",
        "spec.keys.policy.adopt: true",
        "+ Principal AWS *",
    ] {
        ensure!(
            told.contains(part),
            "the plan does not tell {part:?}: {told}"
        );
    }
    stage.untouched(tenant).await?;

    stage
        .change(tenant, json!({"keys": {"policy": {"adopt": true}}}))
        .await?;
    let status = stage.settled(tenant, v1).await?;
    stage::only(&status, v1)?;
    let calls = emulator.audit(0).await?;
    let target = v1.image_sha384().to_owned();
    let mut both = vec![before, target.clone()];
    both.sort();
    // What was found stays on its own keys until Retire, and comes to no other.
    let expected = [
        vec![both, vec![target.clone()]],
        vec![vec![target.clone()]],
        vec![vec![target]],
    ];
    for (arn, expected) in tenant.key_arns().iter().zip(expected) {
        let sorted = |(_, mut images): (_, Vec<String>)| {
            images.sort();
            images
        };
        let writes: Vec<_> = policy_writes(&calls, arn).into_iter().map(sorted).collect();
        ensure!(
            writes == expected,
            "{arn}: {writes:?}, expected {expected:?}"
        );
    }
    let taken = Policy::parse(&emulator.policy(&tenant.keys[2]).await?)?;
    ensure!(
        taken.statement("Enable IAM User Permissions").is_some(),
        "a statement of others is lost"
    );
    Ok(())
}

/// A dry run changes nothing, and status and `kubectl chamber plan` show what would change; then it goes on.
pub async fn dry_run_then_real(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("dry_run_then_real")?;
    let (v1, v2) = stage.releases();
    stage.settle(tenant, v1).await?;
    let seen = stage
        .environment
        .emulator()
        .audit(0)
        .await?
        .last()
        .map_or(0, |call| call.seq);
    stage
        .change(tenant, json!({"rollover": {"dryRun": true}}))
        .await?;
    stage.declare(tenant, v2).await?;
    let status = stage.blocked(tenant, "DryRun", &["status.plan"]).await?;
    shows(status.plan.as_ref().context("status has no plan")?, v1, v2)?;
    let folder = policies(stage, tenant).await?;
    let told = plan(stage, tenant, 0, folder.path()).await?;
    ensure!(
        told.contains(v2.image_sha384()) && told.contains("who may use key a, b, c"),
        "{told}"
    );
    if let Some(environment) = kms_of(stage, tenant).await? {
        let read = programs::chamber_with(stage, tenant, 0, &["plan"], &environment).await?;
        ensure!(
            but_sizes(&read) == but_sizes(&told),
            "with KMS:\n{read}\nwith files:\n{told}"
        );
    }
    let calls = stage.environment.emulator().audit(seen).await?;
    let arns = tenant.key_arns();
    let written = calls.iter().find(|call| {
        let ours = call.key.as_ref().is_some_and(|key| arns.contains(key));
        ours && ["PutKeyPolicy", "TagResource"].contains(&call.operation.as_str())
    });
    ensure!(written.is_none(), "a dry run wrote: {written:?}");

    stage
        .change(tenant, json!({"rollover": {"dryRun": false}}))
        .await?;
    let status = stage.settled(tenant, v2).await?;
    ensure!(status.plan.is_none(), "the plan stays: {:?}", status.plan);
    stage::only(&status, v2)
}

/// KMS writes a document in its own way, and so of another size.
fn but_sizes(told: &str) -> Vec<&str> {
    let lines = told.lines();
    lines.filter(|line| !line.ends_with("bytes")).collect()
}

fn shows(plan: &PlanStatus, v1: &Release, v2: &Release) -> Result<()> {
    ensure!(plan.objection.is_none(), "{:?}", plan.objection);
    ensure!(plan.keys.len() == 3, "{} keys", plan.keys.len());
    ensure!(
        plan.not_shown.iter().any(|what| what == "grants"),
        "{plan:?}"
    );
    for key in &plan.keys {
        let one = |lines: &[String], sign: char, release: &Release| {
            lines.len() == 1
                && lines[0].starts_with(sign)
                && lines[0].ends_with(release.image_sha384())
        };
        ensure!(
            one(&key.admit, '+', v2) && one(&key.retire, '-', v1),
            "{key:?}"
        );
        let decrypt: Vec<_> = key
            .access
            .iter()
            .map(|row| (row.action.as_str(), row.now, row.admitted, row.retired))
            .collect();
        let expected = [
            ("kms:Decrypt", true, true, false),
            ("kms:Decrypt", false, true, true),
        ];
        ensure!(decrypt == expected, "{decrypt:?}");
    }
    Ok(())
}

/// The keys' policies as files, by the names of the shares.
async fn policies(stage: &Stage, tenant: &Tenant) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (name, key) in ["a", "b", "c"].iter().zip(&tenant.keys) {
        let policy = stage.environment.emulator().policy(key).await?;
        std::fs::write(folder.path().join(format!("{name}.json")), policy)?;
    }
    Ok(folder)
}

/// The document that `plan` prints is the one that status has the digest of.
async fn document(
    stage: &Stage,
    tenant: &Tenant,
    status: &ChamberClusterStatus,
    folder: &Path,
) -> Result<()> {
    let folder = folder.to_str().context("a path that is no text")?;
    let asked = ["plan", "--policies", folder, "--document", "c"];
    let printed = programs::chamber(stage, tenant, 0, &asked).await?;
    let printed = printed.trim_end();
    let wanted = status.keys.iter().find(|key| key.name == "c");
    let wanted = wanted.and_then(|key| key.desired.as_ref());
    let wanted = wanted.context("status does not say what c is to be")?;
    let canonical = Policy::parse(printed)?.canonical_text();
    ensure!(
        hex::encode(Sha256::digest(canonical)) == wanted.sha256,
        "the document has another digest than status: {printed}"
    );
    ensure!(
        printed.contains("DenyDataOpsWithoutAttestation")
            && printed.contains(&wanted.measurements[0].image_sha384),
        "{printed}"
    );
    Ok(())
}

async fn plan(stage: &Stage, tenant: &Tenant, status: i32, folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("a path that is no text")?;
    programs::chamber(stage, tenant, status, &["plan", "--policies", folder]).await
}

/// The key holder's way to the emulator; a cluster of others has none from here.
async fn kms_of(stage: &Stage, tenant: &Tenant) -> Result<Option<Vec<(String, String)>>> {
    if std::env::var_os("KUBECONFIG").is_some() {
        println!(
            "note: the emulator of a cluster of others is not reached from here; plan was asked with files only"
        );
        return Ok(None);
    }
    let url = outside::url(stage, AWS_NAMESPACE, "kms-emulator", 4566).await?;
    let credentials = tenant.admin.environment();
    let mut environment: Vec<_> = credentials
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    environment.push(("AWS_ENDPOINT_URL".to_owned(), url));
    environment.push(("AWS_REGION".to_owned(), REGION.to_owned()));
    Ok(Some(environment))
}
