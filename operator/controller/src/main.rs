//! `chamber-operator`: runs the operator, or prints its CRD.

use attestation::Root;
use chamber_operator::{run, settings::Settings};
use clap::{Parser, Subcommand};
use kube::CustomResourceExt;

/// Rolling upgrades of attested workloads: Measure, Admit, Roll, Verify, Retire.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the operator until it is told to stop or loses its lease.
    Run(Box<Settings>),
    /// Prints the `CustomResourceDefinition` as YAML.
    Crd,
}

fn main() -> std::process::ExitCode {
    match Arguments::parse().command {
        Command::Crd => match serde_yaml_ng::to_string(&chamber_api::ChamberCluster::crd()) {
            Ok(yaml) => {
                print!("{yaml}");
                std::process::ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Run(settings) => match run::until_the_end(*settings, Root::aws()) {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn fail(error: &dyn std::error::Error) -> std::process::ExitCode {
    eprintln!("chamber-operator: {error}");
    std::process::ExitCode::FAILURE
}
