//! Programs of this workspace that tests run: the operator, and `kubectl chamber` as a person runs it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use demo::Tenant;
use tokio::process::{Child, Command};

use crate::stage::Stage;

/// A program that was built beside this one.
pub fn built(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let folders = program.ancestors().skip(1).take(2);
    let mut programs = folders.map(|folder| folder.join(name));
    let program = programs.find(|program| program.is_file());
    program.with_context(|| format!("{name} is not built: `cargo build -p {name}`"))
}

/// `kubectl chamber VERB` for a tenant's cluster, through kubectl's own plugin mechanism.
fn command(stage: &Stage, tenant: &Tenant, verb: &[&str]) -> Result<Command> {
    let mut command = plugin(stage, verb)?;
    command.args([&tenant.name, "-n", &tenant.namespace]);
    Ok(command)
}

/// `kubectl chamber` with these arguments; gives what it printed.
pub async fn kubectl_chamber(stage: &Stage, status: i32, arguments: &[&str]) -> Result<String> {
    ended(plugin(stage, arguments)?, status).await
}

async fn ended(mut command: Command, status: i32) -> Result<String> {
    let output = command.output().await?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.code() == Some(status),
        "{:?} ended with {:?} and not {status}: {out}{}",
        command.as_std(),
        output.status.code(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(out)
}

fn plugin(stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let plugin = built("kubectl-chamber")?;
    let host = &stage.environment.host;
    let mut folders = vec![plugin.parent().context("it has no folder")?.to_owned()];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut command = Command::new(host.cluster().binaries().kubectl());
    command
        .arg("chamber")
        .args(arguments)
        .env("KUBECONFIG", host.kubeconfig())
        .env("PATH", std::env::join_paths(folders)?);
    Ok(command)
}

/// Runs it; gives what it printed.
pub async fn chamber(stage: &Stage, tenant: &Tenant, status: i32, verb: &[&str]) -> Result<String> {
    chamber_with(stage, tenant, status, verb, &[]).await
}

/// Runs it with these environment variables; gives what it printed.
pub async fn chamber_with(
    stage: &Stage,
    tenant: &Tenant,
    status: i32,
    verb: &[&str],
    environment: &[(String, String)],
) -> Result<String> {
    let mut command = command(stage, tenant, verb)?;
    let variables = environment.iter().map(|(name, value)| (name, value));
    command.envs(variables);
    ended(command, status).await
}

/// `kubectl chamber status --watch`, which is killed when this is dropped.
pub struct Watch(Child);

impl Watch {
    /// Begins to follow.
    pub fn begin(stage: &Stage, tenant: &Tenant) -> Result<Self> {
        let mut command = command(stage, tenant, &["status", "--watch"])?;
        command.stdout(Stdio::piped()).kill_on_drop(true);
        Ok(Self(command.spawn()?))
    }

    /// Ends it; gives what it has printed.
    pub async fn end(mut self) -> Result<String> {
        self.0.start_kill()?;
        let output = self.0.wait_with_output().await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
