//! plan: what a rollover would change in each key's policy, who may then do what, and the policy that a key is to hold.

use kube::Client;
use rollover::Preview;
use sha2::{Digest, Sha256};

use super::observe::{Question, observed};
use super::plan_picture;
use crate::arguments::Output;
use crate::output::{self, Answer, Exit, Failure};

/// The plan; exit status 1 where the rollover would not begin.
pub async fn run(
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

/// The policy that the key of one share is to hold now; exit status 1 where status asks for another one.
pub async fn document(
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
