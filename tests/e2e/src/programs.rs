//! Programs of this workspace that tests run: the operator, and `kubectl chamber` as a person runs it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use demo::Tenant;
use tokio::process::Command;

use crate::stage::Stage;

/// A program that was built beside this one.
pub fn built(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().skip(1).take(2);
    let mut programs = folders.map(|folder| folder.join(name));
    let program = programs.find(|program| program.is_file());
    program.with_context(|| format!("{name} is not built: `cargo build -p {name}`"))
}

/// Runs `kubectl chamber VERB` for a tenant's cluster, through kubectl's own plugin mechanism; gives what it printed.
pub async fn chamber(stage: &Stage, tenant: &Tenant, status: i32, verb: &[&str]) -> Result<String> {
    let plugin = built("kubectl-chamber")?;
    let host = &stage.environment.host;
    let mut folders = vec![plugin.parent().context("it has no folder")?.to_owned()];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let output = Command::new(host.cluster().binaries().kubectl())
        .arg("chamber")
        .args(verb)
        .args([&tenant.name, "-n", &tenant.namespace])
        .env("KUBECONFIG", host.kubeconfig())
        .env("PATH", std::env::join_paths(folders)?)
        .output()
        .await?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.code() == Some(status),
        "kubectl chamber {verb:?} ended with {:?} and not {status}: {out}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(out)
}
