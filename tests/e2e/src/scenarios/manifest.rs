//! The cluster manifest, from nothing and on the way: rendered, signed and verified by `kubectl chamber`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chamber_api::ChamberClusterStatus;
use demo::{Release, Tenant, load};
use serde_json::{Value, json};

use crate::programs;
use crate::stage::{ROLLOVER, SOON, Stage};

/// Authority, permit, seal, run manifest, chambers that attest: no chamber runs before the commitment was signed.
pub async fn manifest_from_nothing(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("manifest_from_nothing")?;
    let v3 = &stage.environment.releases.v3;
    let mut object = stage.object(tenant, v3);
    object["spec"]["verification"]["attestation"] = json!("Required");
    demo::kubernetes::apply(&stage.environment.client, &object).await?;
    stage
        .blocked(tenant, "ManifestWanted", &["sign a seal permit"])
        .await?;
    stage.untouched(tenant).await?;
    let desk = Desk::set(stage, tenant)?;
    let permit = desk.signed(stage, tenant, &[]).await?;
    ensure!(permit["body"]["kind"] == "SealPermit", "{permit}");
    stage.change(tenant, json!({"manifest": permit})).await?;
    let sealed = stage
        .until(tenant, ROLLOVER, "a run manifest to be wanted", |status| {
            let message = status.message.as_deref().unwrap_or_default();
            status.commitment.is_some() && message.contains("sign a run manifest")
        })
        .await?;
    ensure!(
        stage.pods(tenant).await?.is_empty(),
        "a chamber was started under a seal permit"
    );
    let run = desk.signed(stage, tenant, &[]).await?;
    let commitment = sealed.commitment.context("no commitment")?;
    ensure!(run["body"]["commitment"] == commitment.as_str(), "{run}");
    stage.change(tenant, json!({"manifest": run})).await?;
    let status = stage.settled(tenant, v3).await?;
    ensure!(
        status
            .chambers
            .iter()
            .all(|chamber| chamber.attested.is_some()),
        "not every chamber attested: {:?}",
        status.chambers
    );
    desk.proves(stage, tenant, &status).await?;
    binding(&status, "False", "ManifestNotPinned")?;
    let pinned = json!({"keys": {"policy": {"profile": "Pinned", "pins": ["pcr16"]}}});
    stage.change(tenant, pinned).await?;
    stage
        .until(tenant, SOON, "ManifestBinding to be True", |status| {
            binding(status, "True", "ManifestPinned").is_ok()
        })
        .await?;
    Ok(())
}

/// A cluster that was sealed before there were manifests rolls to an image with an authority and signs on the way,
/// while a client signs all the time: no request fails, and the keys end up open under this manifest alone.
pub async fn manifest_on_the_way(stage: &Stage) -> Result<()> {
    let tenant = stage.tenant("manifest_on_the_way")?;
    let (v1, v3) = (stage.releases().0, &stage.environment.releases.v3);
    let before = stage.settle(tenant, v1).await?;
    binding(&before, "False", "NoAuthority")?;
    load::start(&stage.environment.client, tenant, v1).await?;
    stage.declare(tenant, v3).await?;
    let commitment = before.commitment.context("no commitment")?;
    stage
        .blocked(tenant, "ManifestWanted", &["run manifest", &commitment])
        .await?;
    let desk = Desk::set(stage, tenant)?;
    // The image that sealed is signed with nothing: the authority names it by what it measures. It measures no authority,
    // so its blob shows no permit: the commitment from before is what it is compared with.
    let compared = ["--commitment", commitment.as_str()];
    let sealer = ["--sealing-image", v1.image_sha384()];
    let run = desk
        .signed(stage, tenant, &[sealer, compared].concat())
        .await?;
    let spec = json!({
        "manifest": run,
        "keys": {"policy": {"profile": "Pinned", "pins": ["pcr16"]}},
    });
    stage.change(tenant, spec).await?;
    let status = stage.settled(tenant, v3).await?;
    let status = match binding(&status, "True", "ManifestPinned") {
        Ok(()) => status,
        Err(_) => {
            stage
                .until(tenant, SOON, "ManifestBinding to be True", |status| {
                    binding(status, "True", "ManifestPinned").is_ok()
                })
                .await?
        }
    };
    pinned(stage, tenant, &status, v3).await?;
    let counted = load::stats(&stage.environment.client, tenant).await?;
    ensure!(
        counted.failed == 0 && counted.public_keys.len() == 1 && counted.sent > 40,
        "{} of {} requests failed, keys {:?}: {:?}",
        counted.failed,
        counted.sent,
        counted.public_keys,
        counted.last_error
    );
    Ok(())
}

/// Every key admits the release together with PCR16 of this manifest, and with no other.
async fn pinned(
    stage: &Stage,
    tenant: &Tenant,
    status: &ChamberClusterStatus,
    release: &Release,
) -> Result<()> {
    let manifest = status.manifest.as_ref().context("status.manifest")?;
    for key in &tenant.keys {
        let policy = stage.environment.emulator().policy(key).await?;
        for value in [&manifest.pcr16, release.image_sha384()] {
            ensure!(
                policy.to_lowercase().contains(value),
                "key {key:?} does not pin {value}: {policy}"
            );
        }
    }
    Ok(())
}

fn binding(status: &ChamberClusterStatus, holds: &str, reason: &str) -> Result<()> {
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|condition| condition.type_ == "ManifestBinding");
    let found = found.context("no condition ManifestBinding")?;
    ensure!(
        found.status == holds && found.reason == reason,
        "ManifestBinding is {} with {}: {}",
        found.status,
        found.reason,
        found.message
    );
    Ok(())
}

/// Where the authority's people sit: a folder away from the cluster.
struct Desk(PathBuf);

impl Desk {
    fn set(stage: &Stage, tenant: &Tenant) -> Result<Self> {
        let name = format!("chamber-desk-{}-{}", std::process::id(), tenant.namespace);
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        let environment = stage.environment.operator_environment();
        let root = environment.get("CHAMBER_TEST_NITRO_ROOT");
        std::fs::write(folder.join("root.pem"), root.context("no root")?)?;
        let authority = stage.environment.releases.v3.authorities.first();
        std::fs::write(
            folder.join("authority.pem"),
            authority.context("v3 has no authority")?,
        )?;
        Ok(Self(folder))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// What has to be signed next, signed and verified: `spec.manifest`.
    async fn signed(&self, stage: &Stage, tenant: &Tenant, extra: &[&str]) -> Result<Value> {
        let (root, file) = (self.path("root.pem"), self.path("manifest.yaml"));
        let mut render = vec![
            "manifest",
            "render",
            &tenant.name,
            "-n",
            &tenant.namespace,
            "--root",
            &root,
        ];
        render.extend(extra);
        let rendered = programs::kubectl_chamber(stage, 0, &render).await?;
        std::fs::write(&file, rendered)?;
        let key = stage.environment.host.authority_key();
        let key = path(&key);
        let sign = ["manifest", "sign", "-f", &file, "--key", &key, "--in-place"];
        programs::kubectl_chamber(stage, 0, &sign).await?;
        let authority = self.path("authority.pem");
        let verify = ["manifest", "verify", "-f", &file, "--authority", &authority];
        programs::kubectl_chamber(stage, 0, &verify).await?;
        let text = std::fs::read_to_string(&file)?;
        let fragment: Value = serde_yaml_ng::from_str(&text)?;
        Ok(fragment["manifest"].clone())
    }
}

impl Desk {
    /// A person asks a chamber, too, and is told the same.
    async fn proves(
        &self,
        stage: &Stage,
        tenant: &Tenant,
        status: &ChamberClusterStatus,
    ) -> Result<()> {
        let pod = &status.chambers.first().context("no chamber")?.pod;
        let root = self.path("root.pem");
        let get = [
            "attestation",
            "get",
            pod,
            "-n",
            &tenant.namespace,
            "--root",
            &root,
            "--require-production",
            "-o",
            "json",
        ];
        let told = programs::kubectl_chamber(stage, 0, &get).await?;
        let told: Value = serde_json::from_str(&told)?;
        let manifest = status.manifest.as_ref().context("status.manifest")?;
        ensure!(
            told["verified"] == true
                && told["registers"]["PCR16"] == manifest.pcr16.as_str()
                && told["claims"]["commitment"] == json!(status.commitment)
                && told["claims"]["manifest"] == manifest.digest.as_str(),
            "{told}"
        );
        // AWS's root is not the one of these tests.
        let of_aws = ["attestation", "get", pod, "-n", &tenant.namespace];
        programs::kubectl_chamber(stage, 1, &of_aws).await.map(drop)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What is left is in the machine's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
