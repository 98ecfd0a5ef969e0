//! The verbs that speak to a cluster: status, list, wait, plan, pause, resume, abort, retry, revoke, unrevoke, transfer.

mod attested;
mod bundle;
mod connection;
mod list;
mod observe;
mod picture;
mod plan;
mod plan_picture;
mod revocations;
mod status;
mod stored;
mod verbs;
mod wait;

use chamber_api::ChamberCluster;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};

pub use stored::{Stored, StoredBlob, generation, measurements, of_spec};

use crate::arguments::{Awaited, Bundle, ClusterVerb, Connection};
use crate::output::{self, Answer, Failure};

/// Does what was asked.
pub fn run(verb: &ClusterVerb) -> Result<Answer, Failure> {
    with_client(verb.connection(), async |client| {
        Box::pin(ask(verb, client)).await
    })
}

fn with_client<T>(
    connection: &Connection,
    ask: impl AsyncFnOnce(&Client) -> Result<T, Failure>,
) -> Result<T, Failure> {
    output::wait_for(async {
        let connection::Connected { client, way } = connection::connect(connection)?;
        let answer = ask(&client).await;
        answer.map_err(|failure| failure.on_the_way(&way))
    })
}

/// A folder with what helps whoever is asked for help.
pub fn bundle(asked: &Bundle) -> Result<Answer, Failure> {
    with_client(&asked.target.connection, async |client| {
        Box::pin(bundle::run(client, asked)).await
    })
}

/// A `ChamberCluster` and its sealed blob.
pub fn stored(connection: &Connection, name: &str) -> Result<Stored, Failure> {
    with_client(connection, async |client| stored::read(client, name).await)
}

/// The `ChamberCluster` of this name.
pub fn named(connection: &Connection, name: &str) -> Result<ChamberCluster, Failure> {
    with_client(connection, async |client| {
        let clusters = Api::default_namespaced(client.clone());
        clusters.get(name).await.map_err(|why| refused(name, &why))
    })
}

/// Creates a Secret in the namespace where there is none of its name; gives what the one that is there holds.
pub fn create_secret(connection: &Connection, secret: &Secret) -> Result<Option<Vec<u8>>, Failure> {
    with_client(connection, async |client| {
        stored::create(client, secret).await
    })
}

/// The attestation document of a chamber's pod that carries this nonce.
pub fn document(connection: &Connection, pod: &str, nonce: &[u8]) -> Result<Vec<u8>, Failure> {
    with_client(connection, async |client| {
        attested::document(client, pod, nonce).await
    })
}

async fn ask(verb: &ClusterVerb, client: &Client) -> Result<Answer, Failure> {
    let clusters = Api::default_namespaced(client.clone());
    match verb {
        // It holds the readings of a whole cluster.
        ClusterVerb::Plan(asked) => Box::pin(plan::ask(client, asked)).await,
        ClusterVerb::Status(asked) => status::ask(client, asked).await,
        ClusterVerb::List(asked) => list::run(client, asked).await,
        ClusterVerb::Wait {
            target,
            awaited: Awaited::Settled,
            timeout,
        } => Box::pin(wait::run(&clusters, &target.name, *timeout)).await,
        ClusterVerb::Pause { target } => verbs::pause(&clusters, &target.name, true).await,
        ClusterVerb::Resume { target } => verbs::pause(&clusters, &target.name, false).await,
        ClusterVerb::Abort { target, dry_run } => {
            verbs::abort(&clusters, &target.name, *dry_run).await
        }
        ClusterVerb::Retry { target } => verbs::retry(&clusters, &target.name).await,
        ClusterVerb::Revoke { asked } => {
            // It holds several readings of the resource.
            Box::pin(revocations::revoke(&clusters, asked)).await
        }
        ClusterVerb::Transfer {
            target,
            from,
            yes,
            dry_run,
        } => {
            let sure = *yes || *dry_run;
            verbs::transfer(&clusters, &target.name, from, sure, *dry_run).await
        }
        ClusterVerb::Unrevoke(asked) => revocations::unrevoke(&clusters, asked).await,
    }
}

/// Those of one namespace, or all.
fn these(client: &Client, all_namespaces: bool) -> Api<ChamberCluster> {
    if all_namespaces {
        Api::all(client.clone())
    } else {
        Api::default_namespaced(client.clone())
    }
}

/// All of them, or those with these labels, by namespace and name.
async fn listed(
    clusters: &Api<ChamberCluster>,
    selector: Option<&str>,
) -> Result<Vec<ChamberCluster>, Failure> {
    let params = ListParams {
        label_selector: selector.map(str::to_owned),
        ..ListParams::default()
    };
    let found = clusters.list(&params).await;
    let mut found = found.map_err(|why| failed("chamberclusters", &why))?.items;
    found.sort_by_key(|cluster| (cluster.namespace(), cluster.name_any()));
    Ok(found)
}

/// Whose status it is, and the status, for programs.
fn told(cluster: &ChamberCluster) -> Value {
    let metadata = &cluster.metadata;
    json!({
        "apiVersion": ChamberCluster::api_version(&()),
        "kind": ChamberCluster::kind(&()),
        "metadata": {"namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid,
            "generation": metadata.generation, "labels": metadata.labels},
        "status": cluster.status,
    })
}

/// What the API server said, with the resource that was asked for.
fn refused(name: &str, why: &kube::Error) -> Failure {
    failed(&format!("chambercluster {name}"), why)
}

/// The same of any object, such as `pod signer-0`.
fn failed(what: &str, why: &kube::Error) -> Failure {
    match why {
        kube::Error::Api(status) => Failure::Cluster(format!("{what}: {}", status.message.trim())),
        kube::Error::Service(_) | kube::Error::HyperError(_) => Failure::Unreachable(causes(why)),
        other => Failure::Cluster(format!("{what}: {other}")),
    }
}

/// An error and what it comes from: the first alone says that there was one.
fn causes(why: &dyn std::error::Error) -> String {
    let each = std::iter::successors(why.source(), |error| error.source());
    let texts: Vec<_> = each.map(ToString::to_string).collect();
    texts.join(": ")
}
