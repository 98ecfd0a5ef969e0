//! The verbs that speak to a cluster: status, plan, pause, resume, abort, retry, revoke, unrevoke, transfer.

mod observe;
mod picture;
mod plan;
mod plan_picture;
mod revocations;
mod status;
mod verbs;

use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};

use crate::arguments::{ClusterVerb, Target};
use crate::output::{self, Answer, Failure};

/// Does what was asked.
pub fn run(verb: &ClusterVerb) -> Result<Answer, Failure> {
    output::wait_for(async {
        let Target { name, .. } = verb.target();
        let client = connect(verb.target()).await?;
        let clusters = Api::default_namespaced(client.clone());
        match verb {
            ClusterVerb::Plan {
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
                    Some(share) => plan::document(&client, name, &question, share).await,
                    None => plan::run(&client, name, &question, *output).await,
                }
            }
            ClusterVerb::Status { watch: true, .. } => status::watch(&clusters, name).await,
            ClusterVerb::Status { output, .. } => status::run(&clusters, name, *output).await,
            ClusterVerb::Pause { .. } => verbs::pause(&clusters, name, true).await,
            ClusterVerb::Resume { .. } => verbs::pause(&clusters, name, false).await,
            ClusterVerb::Abort { .. } => verbs::abort(&clusters, name).await,
            ClusterVerb::Retry { .. } => verbs::retry(&clusters, name).await,
            ClusterVerb::Revoke { asked, yes } => revocations::revoke(&clusters, asked, *yes).await,
            ClusterVerb::Transfer { from, .. } => verbs::transfer(&clusters, name, from).await,
            ClusterVerb::Unrevoke(asked) => revocations::unrevoke(&clusters, asked).await,
        }
    })
}

/// The API server and namespace of the target, by the same configuration that kubectl uses.
async fn connect(target: &Target) -> Result<Client, Failure> {
    let options = KubeConfigOptions {
        context: target.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_kubeconfig(&options)
        .await
        .map_err(|why| Failure::Cluster(format!("kubeconfig: {why}")))?;
    if let Some(namespace) = &target.namespace {
        config.default_namespace.clone_from(namespace);
    }
    Client::try_from(config).map_err(|why| Failure::Cluster(why.to_string()))
}

/// What the API server said, with the resource that was asked for.
fn refused(name: &str, why: &kube::Error) -> Failure {
    Failure::Cluster(match why {
        kube::Error::Api(status) => format!("chambercluster {name}: {}", status.message),
        other => format!("chambercluster {name}: {other}"),
    })
}
