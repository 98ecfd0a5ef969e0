//! Which kubeconfig, and what of it: by the flags, by `KUBECONFIG`, or the one at home.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, KubeconfigError};

use crate::arguments::Connection;
use crate::output::Failure;

/// What the context names.
pub struct Chosen {
    /// The API server.
    pub cluster: Cluster,
    /// Who asks.
    pub user: AuthInfo,
    /// Where the resources are.
    pub namespace: String,
}

/// Finds cluster, user and namespace.
pub fn chosen(asked: &Connection) -> Result<Chosen, Failure> {
    let mut kubeconfig = read(asked.kubeconfig.as_deref())?;
    let context = context(&kubeconfig, given(asked.context.as_ref()))?;
    let mut clusters = kubeconfig.clusters.iter_mut();
    let cluster = clusters.find(|named| named.name == context.cluster);
    let cluster = cluster
        .and_then(|named| named.cluster.take())
        .ok_or_else(|| {
            Failure::Cluster(format!(
                "kubeconfig: its context names the cluster {:?}, and there is none",
                context.cluster
            ))
        })?;
    let mut users = kubeconfig.auth_infos.iter_mut();
    let user = users.find(|named| Some(&named.name) == context.user.as_ref());
    let namespace = given(asked.namespace.as_ref()).or(given(context.namespace.as_ref()));
    Ok(Chosen {
        cluster,
        // As with kubectl, a user that is not there is nobody.
        user: user
            .and_then(|named| named.auth_info.take())
            .unwrap_or_default(),
        namespace: namespace.unwrap_or("default").to_owned(),
    })
}

/// An empty flag or field is none.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// The file of the flag alone, else those of `KUBECONFIG` that are there, else the one at home.
fn read(file: Option<&Path>) -> Result<Kubeconfig, Failure> {
    let unreadable =
        |source: &str, why: KubeconfigError| Failure::Cluster(format!("{source}: {why}"));
    if let Some(file) = file {
        return Kubeconfig::read_from(file).map_err(|why| unreadable("--kubeconfig", why));
    }
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named = |path: &PathBuf| !path.as_os_str().is_empty();
    let files: Vec<_> = std::env::split_paths(&listed).filter(named).collect();
    if files.is_empty() {
        return Kubeconfig::read().map_err(|why| unreadable("kubeconfig", why));
    }
    let mut there = files.iter().filter(|file| file.exists()).peekable();
    if there.peek().is_none() {
        return Err(Failure::Cluster(format!(
            "KUBECONFIG: no such file: {}: set it to a kubeconfig, or say --kubeconfig",
            listed.display()
        )));
    }
    there
        .try_fold(Kubeconfig::default(), |merged, file| {
            merged.merge(Kubeconfig::read_from(file)?)
        })
        .map_err(|why| unreadable("KUBECONFIG", why))
}

/// The context that was asked for, else the current one.
fn context(kubeconfig: &Kubeconfig, asked: Option<&str>) -> Result<Context, Failure> {
    let source = if asked.is_some() {
        "--context"
    } else {
        "current-context"
    };
    let contexts = || kubeconfig.contexts.iter();
    let known = || {
        let names: Vec<_> = contexts().map(|named| named.name.as_str()).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let name = asked
        .or(given(kubeconfig.current_context.as_ref()))
        .ok_or_else(|| {
            Failure::Usage(format!(
                "the kubeconfig has no current-context: say --context with one of its contexts: {}",
                known()
            ))
        })?;
    let found = contexts().find(|named| named.name == name);
    found
        .and_then(|named| named.context.clone())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "{source} {name}: the kubeconfig has no such context; its contexts: {}",
                known()
            ))
        })
}
