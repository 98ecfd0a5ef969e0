//! plan: what a rollover would change in each key's policy, and who may then do what.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chamber_api::ChamberCluster;
use chamber_resource::{record, spec};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Namespace;
use key_policy::Policy;
use kube::{Api, Client, ResourceExt};
use rollover::{KeyFacts, KeyState, Preview, Reading, Readings, Reason, Share, World, tags};
use serde_json::Value;

use super::{plan_picture, refused};
use crate::arguments::Output;
use crate::input;
use crate::kms;
use crate::output::{self, Answer, Failure};

/// What is planned for, and where the policies are.
pub struct Question<'a> {
    /// A manifest in place of the spec.
    pub file: Option<&'a str>,
    /// A folder in place of KMS.
    pub policies: Option<&'a Path>,
}

/// The plan; exit status 1 where the rollover would not begin.
pub async fn run(
    client: &Client,
    name: &str,
    question: &Question<'_>,
    output: Output,
) -> Result<Answer, Failure> {
    let cluster = wanted(client, name, question.file).await?;
    let namespaces = Api::<Namespace>::all(client.clone());
    let system = namespaces.get("kube-system").await.map_err(|why| {
        Failure::Cluster(format!(
            "namespace kube-system, whose uid names the cluster on the keys: {why}"
        ))
    })?;
    let uid = system.uid().unwrap_or_default();
    let preview = rollover::preview(&world(&cluster, &uid, question.policies).await?);
    let text = output::form(&plan_picture::value(name, &preview), output, || {
        plan_picture::draw(name, &preview)
    })?;
    Ok(Answer {
        text,
        clean: is_clean(&preview),
    })
}

fn is_clean(preview: &Preview) -> bool {
    preview.objection.is_none() && preview.keys.iter().all(|key| key.changes.is_ok())
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
    let mut wanted = named(input::manifest(file)?, file, name)?;
    wanted.metadata.namespace = Some(client.default_namespace().to_owned());
    wanted.status = found.and_then(|found| found.status);
    Ok(wanted)
}

/// The one `ChamberCluster` of this name among a manifest's objects.
fn named(objects: Vec<Value>, file: &str, name: &str) -> Result<ChamberCluster, Failure> {
    let ours =
        |object: &Value| object["kind"] == "ChamberCluster" && object["metadata"]["name"] == name;
    let found = objects
        .into_iter()
        .find(ours)
        .ok_or_else(|| Failure::Usage(format!("--file {file}: has no ChamberCluster {name}")))?;
    serde_json::from_value(found).map_err(|why| Failure::read(file, &why))
}

/// What the planner would see of the keys; chambers do not matter to a preview.
async fn world(
    cluster: &ChamberCluster,
    uid: &str,
    policies: Option<&Path>,
) -> Result<World, Failure> {
    let spec = spec::checked(cluster, uid, SignedDuration::ZERO)
        .map_err(|fault| Failure::Usage(format!("{}: {}", fault.reason, fault.message)))?;
    let now = Timestamp::now();
    let record = cluster.status.as_ref().map(record::read);
    let readings = if let Some(folder) = policies {
        let status = cluster.status.as_ref();
        let ran = status.is_some_and(|status| status.rollovers > 0);
        let owner = ran.then_some(spec.owner.as_str());
        let each = spec.shares.iter();
        each.map(|share| Ok((share.arn.clone(), of_file(folder, share, owner, now)?)))
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
    Ok(World::of_keys(
        now,
        spec,
        record.unwrap_or_default(),
        readings,
    ))
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
    let (policy, metadata, tags) =
        futures::try_join!(asked.policy(), asked.metadata(), asked.tags())?;
    let state = match metadata
        .key_state()
        .map(aws_sdk_kms::types::KeyState::as_str)
    {
        Some("Enabled") => KeyState::Enabled,
        other => KeyState::Other(other.unwrap_or("in an unknown state").to_owned()),
    };
    let policy = Policy::parse(&policy).map_err(|error| error.to_string());
    Ok(key(now, state, policy, tags))
}

/// A key as read.
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
        let find = |name| named(input::manifest(file).unwrap(), file, name);
        assert_eq!(find("signer").unwrap().spec.keys.threshold, 2);
        let failure = find("other").unwrap_err().to_string();
        assert!(failure.contains("no ChamberCluster other"), "{failure}");
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
