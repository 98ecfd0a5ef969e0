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
    /// The root that attestation documents have to lead to: one certificate in PEM, or a file with it.
    #[arg(long, env = "CHAMBER_TEST_NITRO_ROOT", allow_hyphen_values = true)]
    nitro_root: String,
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

/// A Secret gives a pod variables and no file, so the text itself will do.
fn root(given: &str) -> Result<Root, String> {
    let text = if given.starts_with("-----BEGIN ") {
        given.to_owned()
    } else {
        std::fs::read_to_string(given).map_err(|error| format!("{given}: {error}"))?
    };
    Root::from_pem(&text).map_err(|error| format!("CHAMBER_TEST_NITRO_ROOT: {error}"))
}

fn fail(why: &str) -> ExitCode {
    eprintln!("dev-operator: {why}");
    ExitCode::FAILURE
}
