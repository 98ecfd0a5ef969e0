//! plan: what a rollover would change in each key's policy, who may then do what, and the policy that a key is to hold.

use chamber_api::ChamberCluster;
use kube::{Api, Client, ResourceExt};
use rollover::Preview;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::observe::{self, Question, observed};
use super::{listed, plan_picture, these};
use crate::arguments::{Output, Planned};
use crate::output::{self, Answer, Exit, Failure};

/// The plan of one, the policy of one of its keys, or the plans of several.
pub async fn ask(client: &Client, asked: &Planned) -> Result<Answer, Failure> {
    let Some(name) = asked.name.as_deref() else {
        return Box::pin(all(
            client,
            &these(client, asked.all_namespaces),
            asked.output,
        ))
        .await;
    };
    let question = Question {
        file: asked.file.as_deref(),
        policies: asked.policies.as_deref(),
    };
    match &asked.document {
        Some(share) => document(client, name, &question, share).await,
        None => run(client, name, &question, asked.output).await,
    }
}

/// The plan; exit status 1 where the rollover would not begin.
async fn run(
    client: &Client,
    name: &str,
    question: &Question<'_>,
    output: Output,
) -> Result<Answer, Failure> {
    let (_, world) = observed(client, name, question).await?;
    let preview = rollover::preview(&world);
    let text = output::form(&plan_picture::value(name, &preview), output, || {
        plan_picture::draw(name, &preview)
    })?;
    Ok(Answer {
        text,
        exit: Exit::of(is_clean(&preview)),
    })
}

/// The plans of several. Exit status 2 where one could not be made, else 1 where a rollover would not begin.
async fn all(
    client: &Client,
    clusters: &Api<ChamberCluster>,
    output: Output,
) -> Result<Answer, Failure> {
    let mut plans = Vec::new();
    for cluster in listed(clusters, None).await? {
        let world = observe::of(client, &cluster, None).await;
        let preview = world.map(|world| rollover::preview(&world));
        plans.push((cluster, preview));
    }
    let values = plans
        .iter()
        .map(|(cluster, preview)| value(cluster, preview));
    let text = output::form(&values.collect(), output, || match plans.as_slice() {
        [] => "no ChamberCluster".to_owned(),
        plans => plans.iter().map(picture).collect::<Vec<_>>().join("\n"),
    })?;
    let mut previews = plans.iter().map(|(_, preview)| preview);
    let exit = if previews.clone().any(Result::is_err) {
        Exit::Unread
    } else {
        Exit::of(previews.all(|preview| preview.as_ref().is_ok_and(is_clean)))
    };
    Ok(Answer { text, exit })
}

fn value(cluster: &ChamberCluster, preview: &Result<Preview, Failure>) -> Value {
    let name = cluster.name_any();
    let mut value = match preview {
        Ok(preview) => plan_picture::value(&name, preview),
        Err(why) => json!({ "name": name, "fault": why.to_string() }),
    };
    value["namespace"] = cluster.namespace().into();
    value
}

fn picture((cluster, preview): &(ChamberCluster, Result<Preview, Failure>)) -> String {
    let name = format!(
        "{}/{}",
        cluster.namespace().unwrap_or_default(),
        cluster.name_any()
    );
    match preview {
        Ok(preview) => plan_picture::draw(&name, preview),
        Err(why) => format!("{name}  no plan: {}\n", output::printable(&why.to_string())),
    }
}

/// The policy that the key of one share is to hold now; exit status 1 where status asks for another one.
async fn document(
    client: &Client,
    name: &str,
    question: &Question<'_>,
    share: &str,
) -> Result<Answer, Failure> {
    let (cluster, world) = observed(client, name, question).await?;
    let mut shares = world.spec.shares.iter();
    let found = shares.find(|known| known.name == share).ok_or_else(|| {
        Failure::Usage(format!(
            "--document {share}: chambercluster {name} has no such name in spec.keys.shares"
        ))
    })?;
    let policy =
        rollover::document(&world, found).map_err(|why| Failure::read(&found.arn, &why))?;
    let keys = cluster.status.iter().flat_map(|status| &status.keys);
    let mut desired = keys
        .filter(|key| key.arn == found.arn)
        .filter_map(|key| key.desired.as_ref());
    let sha256 = hex::encode(Sha256::digest(policy.canonical_text()));
    let clean = desired
        .next()
        .is_none_or(|desired| desired.sha256 == sha256);
    if !clean {
        eprintln!(
            "kubectl-chamber: status asks for another policy: key {share}, or the rollover, changed since the operator read it; ask again in a minute"
        );
    }
    Ok(Answer {
        text: policy.to_json(),
        exit: Exit::of(clean),
    })
}

fn is_clean(preview: &Preview) -> bool {
    preview.objection.is_none() && preview.keys.iter().all(|key| key.changes.is_ok())
}
