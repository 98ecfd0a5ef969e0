//! The operator of tests: the production library, and a root of attestation documents that is given.
//!
//! Chambers of the development form have an emulated security module under a test root. The production binary trusts
//! AWS's root alone, and no flag or variable of it changes that: so this is another `main`.

use std::process::ExitCode;

use attestation::Root;
use chamber_operator::{run, settings::Settings};
use clap::{Args, Parser, Subcommand};

/// The operator under a test root. It protects nothing.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the operator until it is told to stop or loses its lease.
    Run(Box<Options>),
}

#[derive(Args)]
struct Options {
    #[command(flatten)]
    settings: Settings,
    /// The root (one certificate, PEM) that attestation documents have to lead to.
    #[arg(long, env = "CHAMBER_TEST_NITRO_ROOT", value_parser = root, hide_env_values = true)]
    nitro_root: Root,
}

fn main() -> ExitCode {
    let Command::Run(options) = Arguments::parse().command;
    match run::until_the_end(options.settings, options.nitro_root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dev-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root(text: &str) -> Result<Root, String> {
    Root::from_pem(text).map_err(|error| error.to_string())
}
