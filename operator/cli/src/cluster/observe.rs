//! What the planner would see of a resource: its spec, status and keys, or what a manifest and files say in their place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chamber_api::ChamberCluster;
use chamber_resource::persisted_state;
use chamber_resource::spec::{self, Uids};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use key_policy::Policy;
use kube::{Api, Client, ResourceExt};
use rollover::{KeyFacts, KeyState, Reading, Readings, Reason, Share, World, tags};
use serde_json::Value;

use super::refused;
use crate::input;
use crate::kms;
use crate::output::Failure;

/// What is planned for, and where the policies are.
pub struct Question<'a> {
    /// A manifest in place of the spec.
    pub file: Option<&'a str>,
    /// A folder in place of KMS.
    pub policies: Option<&'a Path>,
}

/// The resource, and what the planner sees of its keys.
pub async fn observed(
    client: &Client,
    name: &str,
    question: &Question<'_>,
) -> Result<(ChamberCluster, World), Failure> {
    let cluster = wanted(client, name, question.file).await?;
    let world = of(client, &cluster, question.policies).await?;
    Ok((cluster, world))
}

/// What the planner sees of the keys of a resource.
pub async fn of(
    client: &Client,
    cluster: &ChamberCluster,
    policies: Option<&Path>,
) -> Result<World, Failure> {
    let uids = uids(client, cluster).await;
    if let Err(why) = &uids {
        eprintln!("kubectl-chamber: whose tags the keys carry was not compared: {why}");
    }
    world(cluster, uids.as_ref(), policies).await
}

/// What tells the resource from others on the keys: as the operator wrote it into status, or as the namespaces say.
async fn uids(client: &Client, cluster: &ChamberCluster) -> Result<Uids, String> {
    let status = cluster.status.as_ref();
    let written = status.and_then(|status| status.external_id.as_deref());
    if let Some([cluster, _, namespace, _]) = written
        .map(|id| id.split('/').collect::<Vec<_>>())
        .as_deref()
    {
        return Ok(Uids {
            cluster: (*cluster).to_owned(),
            namespace: (*namespace).to_owned(),
        });
    }
    let namespaces = Api::<Namespace>::all(client.clone());
    let uid = async |name: &str| match namespaces.get(name).await {
        Ok(found) => Ok(found.uid().unwrap_or_default()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => Err(other.to_string()),
    };
    let namespace = cluster.namespace().unwrap_or_default();
    Ok(Uids {
        cluster: uid("kube-system").await?,
        namespace: uid(&namespace).await?,
    })
}

/// The resource as it is, or as it would be with the manifest's spec.
async fn wanted(
    client: &Client,
    name: &str,
    file: Option<&str>,
) -> Result<ChamberCluster, Failure> {
    let clusters = Api::<ChamberCluster>::default_namespaced(client.clone());
    let Some(file) = file else {
        return clusters.get(name).await.map_err(|why| refused(name, &why));
    };
    let found = clusters.get_opt(name).await;
    let found = found.map_err(|why| refused(name, &why))?;
    let namespace = client.default_namespace();
    let mut wanted = named(input::manifest(file)?, file, namespace, name)?;
    wanted.metadata.namespace = Some(namespace.to_owned());
    wanted.status = found.and_then(|found| found.status);
    Ok(wanted)
}

/// The `ChamberCluster` of this name among a manifest's objects and the items of its lists; one that names no namespace
/// is of the one that was asked for.
fn named(
    objects: Vec<Value>,
    file: &str,
    namespace: &str,
    name: &str,
) -> Result<ChamberCluster, Failure> {
    let items = |object: Value| match object["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![object],
    };
    let ours = |object: &Value| {
        let metadata = &object["metadata"];
        object["kind"] == "ChamberCluster"
            && metadata["name"] == name
            && metadata["namespace"].as_str().unwrap_or(namespace) == namespace
    };
    let found = objects.into_iter().flat_map(items).find(ours);
    let found = found.ok_or_else(|| {
        Failure::Usage(format!(
            "--file {file}: has no ChamberCluster {name} of namespace {namespace}"
        ))
    })?;
    serde_json::from_value(found).map_err(|why| Failure::read(file, &why))
}

/// What the planner would see of the keys; chambers do not matter to a preview.
async fn world(
    cluster: &ChamberCluster,
    uids: Result<&Uids, &String>,
    policies: Option<&Path>,
) -> Result<World, Failure> {
    let nobody = Uids::default();
    let spec = spec::checked(cluster, uids.unwrap_or(&nobody), SignedDuration::ZERO)
        .map_err(|fault| Failure::Usage(format!("{}: {}", fault.reason, fault.message)))?;
    let now = Timestamp::now();
    let record = cluster.status.as_ref().map(persisted_state::read);
    let readings = if let Some(folder) = policies {
        let status = cluster.status.as_ref();
        let ran = status.is_some_and(|status| status.rollovers > 0);
        let owner = ran.then(|| spec.owner.tag());
        let each = spec.shares.iter();
        each.map(|share| {
            Ok((
                share.arn.clone(),
                of_file(folder, share, owner.as_deref(), now)?,
            ))
        })
        .collect::<Result<_, Failure>>()?
    } else {
        let sdk = kms::environment().await;
        let mut readings = Vec::new();
        for share in &spec.shares {
            let reading = of_kms(&kms::Key::new(&sdk, &share.arn)?, now).await;
            readings.push((share.arn.clone(), reading));
        }
        those_that_were_read(readings, now)?
    };
    let readings = if uids.is_ok() {
        readings
    } else {
        without_owners(readings)
    };
    Ok(World::of_keys(
        now,
        spec,
        record.unwrap_or_default(),
        readings,
    ))
}

/// The readings as if no key had an owner.
fn without_owners(mut readings: Readings) -> Readings {
    for reading in readings.values_mut() {
        if let Reading::Facts(facts) = reading {
            let tags = &mut Arc::make_mut(facts).tags;
            tags.retain(|name, _| name != tags::OWNER && name != tags::NAMESPACE_UID);
        }
    }
    readings
}

/// A file has no tags: whether the key is this cluster's is taken from whether a rollover ever began.
fn of_file(
    folder: &Path,
    share: &Share,
    owner: Option<&str>,
    now: Timestamp,
) -> Result<Reading, Failure> {
    let file = folder.join(format!("{}.json", share.name));
    let policy = input::policy(&file.to_string_lossy())?;
    let tags = owner.map(|owner| (tags::OWNER.to_owned(), owner.to_owned()));
    Ok(key(
        now,
        KeyState::Enabled,
        Ok(policy),
        tags.into_iter().collect(),
    ))
}

/// Keys have several holders: what one person may not read is told of its key, and only that nothing could be read ends it.
fn those_that_were_read(
    readings: Vec<(String, Result<Reading, Failure>)>,
    read_at: Timestamp,
) -> Result<Readings, Failure> {
    let each = readings.into_iter();
    if each.as_slice().iter().all(|(_, reading)| reading.is_err()) {
        return each.map(|(arn, reading)| Ok((arn, reading?))).collect();
    }
    let failed = |failure: Failure| Reading::Failed {
        read_at,
        reason: Reason::KeyUnreadable,
        message: failure.to_string(),
    };
    Ok(each
        .map(|(arn, reading)| (arn, reading.unwrap_or_else(failed)))
        .collect())
}

async fn of_kms(asked: &kms::Key<'_>, now: Timestamp) -> Result<Reading, Failure> {
    let (policy, described, tags) =
        futures::try_join!(asked.policy(), asked.facts(), asked.tags())?;
    Ok(Reading::Facts(Arc::new(KeyFacts {
        read_at: now,
        state: match described.state.as_str() {
            "Enabled" => KeyState::Enabled,
            other => KeyState::Other(other.to_owned()),
        },
        policy: Policy::parse(&policy).map_err(|error| error.to_string()),
        tags,
        described: Some(described),
    })))
}

/// A key of which the policy and the tags are known.
pub fn key(
    read_at: Timestamp,
    state: KeyState,
    policy: Result<Policy, String>,
    tags: BTreeMap<String, String>,
) -> Reading {
    Reading::Facts(Arc::new(KeyFacts {
        read_at,
        state,
        policy,
        tags,
        described: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_found_among_the_objects_of_a_manifest() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/examples/chambercluster-managed.yaml"
        );
        let find = |name| named(input::manifest(file).unwrap(), file, "chambers", name);
        assert_eq!(find("signer").unwrap().spec.keys.threshold, 2);
        let failure = find("other").unwrap_err().to_string();
        assert!(failure.contains("no ChamberCluster other"), "{failure}");
    }

    #[test]
    fn it_is_the_one_of_the_namespace_and_an_item_of_a_list() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/examples/chambercluster-managed.yaml"
        );
        let objects = input::manifest(file).unwrap();
        let is_cluster = |object: &&Value| object["kind"] == "ChamberCluster";
        let with = |namespace: &str, threshold: i32| {
            let mut cluster = objects.iter().find(is_cluster).unwrap().clone();
            cluster["metadata"]["namespace"] = namespace.into();
            cluster["spec"]["keys"]["threshold"] = threshold.into();
            cluster
        };
        let two = [with("staging", 1), with("production", 3)];
        let list = serde_json::json!({"kind": "List", "apiVersion": "v1", "items": two});
        for objects in [two.to_vec(), vec![list]] {
            let found = named(objects.clone(), "f", "production", "signer").unwrap();
            assert_eq!(found.spec.keys.threshold, 3);
            let failure = named(objects, "f", "other", "signer").unwrap_err();
            assert!(failure.to_string().contains("signer of namespace other"));
        }
    }

    #[test]
    fn whose_tags_they_carry_is_left_out_where_it_is_not_known() {
        let facts = |tags: &[&str]| {
            let tags = tags.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
            let tags = tags.collect();
            key(
                Timestamp::UNIX_EPOCH,
                KeyState::Enabled,
                Err("none".into()),
                tags,
            )
        };
        let read = facts(&[tags::OWNER, tags::NAMESPACE_UID, tags::ROLLOVER]);
        let kept = without_owners([("a".to_owned(), read)].into());
        let Reading::Facts(facts) = &kept["a"] else {
            unreachable!("it was read")
        };
        assert!(facts.tags.keys().eq([tags::ROLLOVER]));
    }

    #[test]
    fn a_key_that_cannot_be_read_does_not_hide_the_others() {
        let now = Timestamp::UNIX_EPOCH;
        let read = || {
            Ok(key(
                now,
                KeyState::Enabled,
                Err("none".into()),
                BTreeMap::new(),
            ))
        };
        let denied = || {
            Err(Failure::read(
                "arn",
                &"kms:GetKeyPolicy gives AccessDeniedException",
            ))
        };
        let named = |name: &str, reading| (name.to_owned(), reading);
        let two = vec![named("a", read()), named("b", denied())];
        let keys = those_that_were_read(two, now).unwrap();
        assert!(matches!(keys["a"], Reading::Facts(_)));
        let Reading::Failed { message, .. } = &keys["b"] else {
            unreachable!("it was denied")
        };
        assert!(message.contains("AccessDenied"), "{message}");
        let all = those_that_were_read(vec![named("a", denied()), named("b", denied())], now);
        assert!(all.is_err(), "nothing was read");
    }
}
