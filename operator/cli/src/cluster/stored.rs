//! A `ChamberCluster` and its sealed blob, as the cluster has them.

use chamber_api::{ChamberCluster, names};
use chamber_resource::release;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use measurement::Measurement;
use rollover::{FIRST_GENERATION, blob_id};

use super::{failed, refused};
use crate::output::Failure;

/// What is stored of a cluster.
pub struct Stored {
    /// The resource.
    pub cluster: ChamberCluster,
    /// What its sealed Secret holds; none where nothing is sealed yet.
    pub blob: Option<StoredBlob>,
}

/// A sealed Secret.
pub struct StoredBlob {
    /// `Secret <name>`.
    pub name: String,
    /// Base64 of the blob.
    pub text: Vec<u8>,
}

/// Reads both; a resource that says it is sealed and has no blob is a failure, never one that is not sealed.
pub async fn read(client: &Client, name: &str) -> Result<Stored, Failure> {
    let clusters = Api::<ChamberCluster>::default_namespaced(client.clone());
    let cluster = clusters
        .get(name)
        .await
        .map_err(|why| refused(name, &why))?;
    let blob = blob(client, name, &cluster).await?;
    let status = cluster.status.as_ref();
    let commitment = status.and_then(|status| status.commitment.as_deref());
    if let (None, Some(commitment)) = (&blob, commitment) {
        return Err(Failure::Cluster(format!(
            "chambercluster {name}: status.commitment is {commitment}, so it is sealed, and no Secret {}... holds its blob: restore it from your copy, or give the blob with --file and --blob",
            names::sealed_secret(name, "")
        )));
    }
    Ok(Stored { cluster, blob })
}

/// Every stored blob of a cluster has the same inner layer, so the first that is found is read. Whoever may create
/// Secrets could have made it: whose master key it holds is judged by `manifest render`, which names the Secret.
async fn blob(
    client: &Client,
    name: &str,
    cluster: &ChamberCluster,
) -> Result<Option<StoredBlob>, Failure> {
    let secrets = Api::<Secret>::default_namespaced(client.clone());
    for (measurement, generation) in bound(cluster)? {
        let secret = names::sealed_secret(name, &blob_id(&measurement, generation));
        let found = secrets.get_opt(&secret).await;
        let found = found.map_err(|why| refused(name, &why))?;
        let Some(found) = found else { continue };
        let data = found.data.and_then(|mut data| data.remove(names::BLOB_KEY));
        let data = data.ok_or_else(|| {
            let why = format!("has no key {}", names::BLOB_KEY);
            Failure::read(&format!("Secret {secret}"), &why)
        })?;
        return Ok(Some(StoredBlob {
            name: format!("Secret {secret}"),
            text: data.0,
        }));
    }
    Ok(None)
}

/// Creates a Secret where there is none of its name; gives what the one that is there holds.
pub async fn create(client: &Client, secret: &Secret) -> Result<Option<Vec<u8>>, Failure> {
    let secrets = Api::<Secret>::default_namespaced(client.clone());
    let name = secret.name_any();
    let failed = |why: kube::Error| failed(&format!("secret {name}"), &why);
    match secrets.create(&PostParams::default(), secret).await {
        Ok(_) => return Ok(None),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(why) => return Err(failed(why)),
    }
    let there = secrets.get(&name).await.map_err(failed)?;
    let data = there.data.and_then(|mut data| data.remove(names::BLOB_KEY));
    Ok(Some(data.map(|data| data.0).unwrap_or_default()))
}

/// What blobs of a cluster may be bound to: the current release, those of a rollover, the one of the spec.
pub fn measurements(cluster: &ChamberCluster) -> Result<Vec<Measurement>, Failure> {
    Ok(bound(cluster)?.into_iter().map(|(one, _)| one).collect())
}

/// The same, each with the generation of its blob.
fn bound(cluster: &ChamberCluster) -> Result<Vec<(Measurement, u32)>, Failure> {
    let status = cluster.status.as_ref();
    let rollover = status.and_then(|status| status.rollover.as_ref());
    let recorded = [
        status.and_then(|status| status.current.as_ref()),
        rollover.and_then(|rollover| rollover.from.as_ref()),
        rollover.map(|rollover| &rollover.to),
    ];
    let recorded = recorded
        .into_iter()
        .flatten()
        .filter_map(release::of_status);
    let mut all: Vec<_> = recorded
        .map(|release| (release.measurement, release.generation))
        .collect();
    // A manifest that is to be replaced keeps nobody from finding the blob.
    let named = generation(cluster).unwrap_or(FIRST_GENERATION);
    all.push((of_spec(cluster)?, named));
    Ok(all)
}

/// The generation that the manifest of the spec names.
pub fn generation(cluster: &ChamberCluster) -> Result<u32, Failure> {
    let named = release::generation(&cluster.spec);
    named.map_err(|fault| Failure::Usage(format!("{}: {}", fault.reason, fault.message)))
}

/// What the blob of the spec's release is bound to.
pub fn of_spec(cluster: &ChamberCluster) -> Result<Measurement, Failure> {
    let spec = release::measurement(
        &cluster.spec.release.measurement,
        "spec.release.measurement",
    );
    spec.map_err(|fault| Failure::Usage(format!("{}: {}", fault.reason, fault.message)))
}
