//! `bench-scale`: what many `ChamberClusters` cost one operator.
//!
//! etcd, API server and controller manager are real; kubelets, Prometheus and KMS are stand-ins of this process, and the
//! operator is a release build. The command fails where a goal is missed.

mod aws;
mod clusters;
mod control_plane;
mod goals;
mod kubelet;
mod measured;
mod operator;
mod pods;
mod prometheus;
mod run;
mod tally;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use measured::Measured;
use run::Plan;

/// What many `ChamberClusters` cost one operator.
#[derive(Parser)]
struct Arguments {
    /// How many clusters, one run for each number.
    #[arg(long, value_delimiter = ',', default_value = "100")]
    clusters: Vec<u32>,
    /// In so many namespaces.
    #[arg(long, default_value_t = 10)]
    namespaces: u32,
    /// How long the operator is watched while nothing changes, in seconds.
    #[arg(long, default_value_t = 60)]
    idle: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What was started ends with it, and not only with a run that came to its end.
    let done = tokio::select! {
        done = bench(&arguments) => done,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-scale: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: &Arguments) -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let mut all: Vec<Measured> = Vec::new();
    for clusters in &arguments.clusters {
        let plan = Plan {
            clusters: *clusters,
            namespaces: arguments.namespaces.clamp(1, (*clusters).max(1)),
            idle: std::time::Duration::from_secs(arguments.idle),
        };
        let measured = run::run(&plan).await?;
        print!("{measured}");
        all.push(measured);
    }
    let missed: Vec<_> = all.iter().flat_map(goals::missed).collect();
    for goal in &missed {
        println!("missed: {goal}");
    }
    for measured in &all {
        println!("{}", measured.line());
    }
    ensure!(missed.is_empty(), "{} goals are missed", missed.len());
    Ok(())
}
