//! Which API server is asked, and of which object.

use std::path::PathBuf;

use clap::Args;

/// Which `ChamberCluster`.
#[derive(Args)]
pub struct Target {
    /// Name of the ChamberCluster.
    pub name: String,
    /// Where it is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Which API server is asked, in which namespace and as whom: the flags of kubectl.
///
/// They are of the verbs that speak to a cluster, and not global: the others have flags of the same names.
#[derive(Args)]
pub struct Connection {
    /// Its namespace; without it that of the kubeconfig's context.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig; without it the current one.
    #[arg(long)]
    pub context: Option<String>,
    /// The kubeconfig; without it those of KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// User to act as (impersonation).
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// Group to act as, with --as; may be given more than once.
    #[arg(long, value_name = "GROUP", requires = "as_user")]
    pub as_group: Vec<String>,
}
