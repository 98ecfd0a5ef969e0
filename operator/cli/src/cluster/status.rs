//! status: one picture of the rollover, once or followed live.

use std::pin::pin;

use chamber_api::ChamberCluster;
use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{listed, picture, refused};
use crate::arguments::Output;
use crate::output::{self, Answer, Exit, Failure};

/// The picture now. Exit status 1 where a person has to look at it.
pub async fn run(
    clusters: &Api<ChamberCluster>,
    name: &str,
    output: Output,
) -> Result<Answer, Failure> {
    let found = clusters
        .get(name)
        .await
        .map_err(|why| refused(name, &why))?;
    let value = serde_json::to_value(found.status.clone().unwrap_or_default())
        .map_err(|why| Failure::Write(why.to_string()))?;
    let text = output::form(&value, output, || picture::draw(&found, Timestamp::now()))?;
    Ok(Answer {
        text,
        exit: Exit::of(!picture::stalled(&found)),
    })
}

/// The pictures of all of a namespace, or of all namespaces. Exit status 1 where a person has to look at one of them.
pub async fn all(clusters: &Api<ChamberCluster>, output: Output) -> Result<Answer, Failure> {
    let found = listed(clusters).await?;
    let each = found.iter().map(|cluster| {
        let (namespace, name) = (cluster.namespace(), cluster.name_any());
        json!({"namespace": namespace, "name": name, "status": cluster.status})
    });
    let now = Timestamp::now();
    let text = output::form(&each.collect(), output, || {
        let picture = |cluster: &ChamberCluster| {
            let namespace = cluster.namespace().unwrap_or_default();
            format!("{namespace}/{}", picture::draw(cluster, now))
        };
        match found.as_slice() {
            [] => "no ChamberCluster".to_owned(),
            found => found.iter().map(picture).collect::<Vec<_>>().join("\n"),
        }
    })?;
    Ok(Answer {
        text,
        exit: Exit::of(!found.iter().any(picture::stalled)),
    })
}

/// The picture each time it changes, until the resource is gone or nobody reads on.
pub async fn watch(clusters: &Api<ChamberCluster>, name: &str) -> Result<Answer, Failure> {
    // What would never work (no such resource, no right to read it) is said at once.
    let found = clusters.get(name).await;
    found.map_err(|why| refused(name, &why))?;
    let mut changes = pin!(watch_object(clusters.clone(), name).default_backoff());
    let mut last = String::new();
    while let Some(change) = changes.next().await {
        let drawn = match change {
            Ok(Some(found)) => picture::draw(&found, Timestamp::now()),
            Ok(None) => return Err(Failure::Cluster(format!("chambercluster {name} is gone"))),
            Err(why) => {
                eprintln!("kubectl-chamber: {why}; it is tried again");
                continue;
            }
        };
        if drawn == last {
            continue;
        }
        if !output::write(&output::screen(&drawn))? {
            break;
        }
        last = drawn;
    }
    Ok(Answer {
        text: String::new(),
        exit: Exit::of(true),
    })
}
