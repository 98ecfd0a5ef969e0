//! status: one picture of the rollover, once or followed live.

use std::pin::pin;

use chamber_api::ChamberCluster;
use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, ResourceExt};

use super::{listed, picture, refused, these, told};
use crate::arguments::{Output, Shown};
use crate::output::{self, Answer, Exit, Failure};

/// One picture, once or followed, or those of several.
pub async fn ask(client: &Client, asked: &Shown) -> Result<Answer, Failure> {
    let clusters = Api::default_namespaced(client.clone());
    match asked.name.as_deref() {
        Some(name) if asked.watch => watch(&clusters, name).await,
        Some(name) => run(&clusters, name, asked.output).await,
        None => {
            let these = these(client, asked.all_namespaces);
            let found = listed(&these, asked.selector.as_deref()).await?;
            all(&found, asked.output)
        }
    }
}

/// The picture now. Exit status 1 where a person has to look at it.
async fn run(
    clusters: &Api<ChamberCluster>,
    name: &str,
    output: Output,
) -> Result<Answer, Failure> {
    let found = clusters
        .get(name)
        .await
        .map_err(|why| refused(name, &why))?;
    let text = output::form(&told(&found), output, || {
        picture::draw(&found, Timestamp::now())
    })?;
    Ok(Answer {
        text,
        exit: Exit::of(!picture::stalled(&found)),
    })
}

/// The pictures of all of a namespace, or of all namespaces. Exit status 1 where a person has to look at one of them.
fn all(found: &[ChamberCluster], output: Output) -> Result<Answer, Failure> {
    let now = Timestamp::now();
    let text = output::form(&found.iter().map(told).collect(), output, || {
        let picture = |cluster: &ChamberCluster| {
            let namespace = cluster.namespace().unwrap_or_default();
            format!("{namespace}/{}", picture::draw(cluster, now))
        };
        match found {
            [] => "no ChamberCluster".to_owned(),
            found => found.iter().map(picture).collect::<Vec<_>>().join("\n"),
        }
    })?;
    Ok(Answer {
        text,
        exit: Exit::of(!found.iter().any(picture::stalled)),
    })
}

/// The picture each time it changes, until the resource is gone, nobody reads on, or Ctrl-C. Exit status 1 where a person
/// has to look at what was shown last.
async fn watch(clusters: &Api<ChamberCluster>, name: &str) -> Result<Answer, Failure> {
    // What would never work (no such resource, no right to read it) is said at once.
    let found = clusters.get(name).await;
    found.map_err(|why| refused(name, &why))?;
    let mut changes = pin!(watch_object(clusters.clone(), name).default_backoff());
    let mut last = String::new();
    let mut stalled = false;
    let mut told_to_end = pin!(tokio::signal::ctrl_c());
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            _ = &mut told_to_end => None,
        };
        let Some(change) = change else { break };
        let drawn = match change {
            Ok(Some(found)) => {
                stalled = picture::stalled(&found);
                picture::draw(&found, Timestamp::now())
            }
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
        exit: Exit::of(!stalled),
    })
}
