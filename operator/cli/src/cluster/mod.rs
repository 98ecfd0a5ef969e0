//! The verbs that speak to a cluster: status, plan, pause, resume, abort, retry, revoke, unrevoke, transfer.

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

use kube::{Api, Client};

pub use stored::{Stored, measurements};

use crate::arguments::{ClusterVerb, Connection, Target};
use crate::output::{self, Answer, Failure};

/// Does what was asked.
pub fn run(verb: &ClusterVerb) -> Result<Answer, Failure> {
    output::wait_for(async {
        let connection::Connected { client, way } = connection::connect(verb.connection())?;
        let answer = Box::pin(ask(verb, &client)).await;
        answer.map_err(|failure| failure.on_the_way(&way))
    })
}

/// A `ChamberCluster` and its sealed blob.
pub fn stored(connection: &Connection, name: &str) -> Result<Stored, Failure> {
    output::wait_for(async {
        let connection::Connected { client, way } = connection::connect(connection)?;
        let read = stored::read(&client, name).await;
        read.map_err(|failure| failure.on_the_way(&way))
    })
}

/// The attestation document of a chamber's pod that carries this nonce.
pub fn document(connection: &Connection, pod: &str, nonce: &[u8]) -> Result<Vec<u8>, Failure> {
    output::wait_for(async {
        let connection::Connected { client, way } = connection::connect(connection)?;
        let made = attested::document(&client, pod, nonce).await;
        made.map_err(|failure| failure.on_the_way(&way))
    })
}

async fn ask(verb: &ClusterVerb, client: &Client) -> Result<Answer, Failure> {
    let clusters = Api::default_namespaced(client.clone());
    match verb {
        ClusterVerb::Plan {
            target: Target { name, .. },
            file,
            policies,
            document,
            output,
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
            all_namespaces: true,
            output,
            ..
        } => status::all(&Api::all(client.clone()), *output).await,
        ClusterVerb::Status { output, .. } => status::all(&clusters, *output).await,
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
