//! The operator of tests: the production library, and a root of attestation documents that is given.
//!
//! Chambers of the development form have an emulated security module under a test root. The production binary trusts
//! AWS's root alone, and no flag or variable of it changes that: so this is another `main`.

use std::path::PathBuf;
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
    /// File with the root (one certificate, PEM) that attestation documents have to lead to.
    #[arg(long, env = "CHAMBER_TEST_NITRO_ROOT")]
    nitro_root: PathBuf,
}

fn main() -> ExitCode {
    let Command::Run(options) = Arguments::parse().command;
    let root = match root(&options.nitro_root) {
        Ok(root) => root,
        Err(why) => return fail(&why),
    };
    match run::until_the_end(options.settings, root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn root(file: &PathBuf) -> Result<Root, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    Root::from_pem(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn fail(why: &str) -> ExitCode {
    eprintln!("dev-operator: {why}");
    ExitCode::FAILURE
}
