//! The verbs that speak to a cluster: status, pause, resume, abort, retry, revoke.

mod picture;
mod status;
mod verbs;

use chamber_api::ChamberCluster;
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};

use crate::arguments::{ClusterVerb, Target};
use crate::output::{Answer, Failure};

/// Does what was asked.
pub fn run(verb: &ClusterVerb) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::Cluster(why.to_string()))?;
    runtime.block_on(async {
        match verb {
            ClusterVerb::Status {
                target,
                watch: true,
                output: _,
            } => status::watch(&connect(target).await?, &target.name).await,
            ClusterVerb::Status { target, output, .. } => {
                status::run(&connect(target).await?, &target.name, *output).await
            }
            ClusterVerb::Pause { target } => {
                verbs::pause(&connect(target).await?, &target.name, true).await
            }
            ClusterVerb::Resume { target } => {
                verbs::pause(&connect(target).await?, &target.name, false).await
            }
            ClusterVerb::Abort { target } => {
                verbs::abort(&connect(target).await?, &target.name).await
            }
            ClusterVerb::Retry { target } => {
                verbs::retry(&connect(target).await?, &target.name).await
            }
            ClusterVerb::Revoke {
                target,
                image,
                reason,
            } => verbs::revoke(&connect(target).await?, &target.name, image, reason).await,
        }
    })
}

/// The resources of the target's namespace, by the same configuration that kubectl uses.
async fn connect(target: &Target) -> Result<Api<ChamberCluster>, Failure> {
    let options = KubeConfigOptions {
        context: target.context.clone(),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_kubeconfig(&options)
        .await
        .map_err(|why| Failure::Cluster(format!("kubeconfig: {why}")))?;
    let namespace = target
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(|why| Failure::Cluster(why.to_string()))?;
    Ok(Api::namespaced(client, &namespace))
}

/// What the API server said, with the resource that was asked for.
fn refused(name: &str, why: &kube::Error) -> Failure {
    Failure::Cluster(match why {
        kube::Error::Api(status) => format!("chambercluster {name}: {}", status.message),
        other => format!("chambercluster {name}: {other}"),
    })
}
