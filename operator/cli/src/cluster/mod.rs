//! The verbs that speak to a cluster: status, wait, plan, pause, resume, abort, retry, revoke, unrevoke, transfer.

mod attested;
mod connection;
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
use kube::{Api, Client, ResourceExt};

pub use stored::{Stored, StoredBlob, measurements, of_spec};

use crate::arguments::{ClusterVerb, Connection};
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
        ClusterVerb::Plan {
            name: Some(name),
            file,
            policies,
            document,
            output,
            ..
        } => {
            let question = observe::Question {
                file: file.as_deref(),
                policies: policies.as_deref(),
            };
            match document {
                Some(share) => plan::document(client, name, &question, share).await,
                None => plan::run(client, name, &question, *output).await,
            }
        }
        ClusterVerb::Plan {
            all_namespaces,
            output,
            ..
        } => {
            // It holds the readings of a whole cluster.
            Box::pin(plan::all(client, &these(client, *all_namespaces), *output)).await
        }
        ClusterVerb::Status {
            name: Some(name),
            watch: true,
            ..
        } => status::watch(&clusters, name).await,
        ClusterVerb::Status {
            name: Some(name),
            output,
            ..
        } => status::run(&clusters, name, *output).await,
        ClusterVerb::Status {
            all_namespaces,
            output,
            ..
        } => status::all(&these(client, *all_namespaces), *output).await,
        ClusterVerb::Wait { target, timeout } => {
            Box::pin(wait::run(&clusters, &target.name, *timeout)).await
        }
        ClusterVerb::Pause { target } => verbs::pause(&clusters, &target.name, true).await,
        ClusterVerb::Resume { target } => verbs::pause(&clusters, &target.name, false).await,
        ClusterVerb::Abort { target } => verbs::abort(&clusters, &target.name).await,
        ClusterVerb::Retry { target } => verbs::retry(&clusters, &target.name).await,
        ClusterVerb::Revoke { asked, yes } => {
            // It holds several readings of the resource.
            Box::pin(revocations::revoke(&clusters, asked, *yes)).await
        }
        ClusterVerb::Transfer { target, from } => {
            verbs::transfer(&clusters, &target.name, from).await
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

/// All of them, by namespace and name.
async fn listed(clusters: &Api<ChamberCluster>) -> Result<Vec<ChamberCluster>, Failure> {
    let found = clusters.list(&ListParams::default()).await;
    let mut found = found.map_err(|why| failed("chamberclusters", &why))?.items;
    found.sort_by_key(|cluster| (cluster.namespace(), cluster.name_any()));
    Ok(found)
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
