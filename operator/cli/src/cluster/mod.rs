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
        let Target { name, .. } = verb.target();
        let clusters = connect(verb.target()).await?;
        match verb {
            ClusterVerb::Status { watch: true, .. } => status::watch(&clusters, name).await,
            ClusterVerb::Status { output, .. } => status::run(&clusters, name, *output).await,
            ClusterVerb::Pause { .. } => verbs::pause(&clusters, name, true).await,
            ClusterVerb::Resume { .. } => verbs::pause(&clusters, name, false).await,
            ClusterVerb::Abort { .. } => verbs::abort(&clusters, name).await,
            ClusterVerb::Retry { .. } => verbs::retry(&clusters, name).await,
            ClusterVerb::Revoke { image, reason, .. } => {
                verbs::revoke(&clusters, name, image, reason).await
            }
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
