//! `kubectl chamber`: rollovers, key policies, image files and attestation documents, from the command line.
//!
//! Exit status: 0 clean or notes only (or allowed, or verified), 1 a warning or an error was found (or a difference, a
//! denial, a document that is not verified), 2 something could not be read or was used wrongly, 3 the answer depends on what was not said.

mod arguments;
mod attestation;
mod blob;
mod cluster;
mod complete;
mod completion;
mod describe_eif;
mod input;
mod key;
mod kms;
mod manifest;
mod output;
mod policy;
mod sealed;
mod text;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, SupportVerb, Verb};
use output::{Answer, Failure};

fn main() -> ExitCode {
    // Clap ends with 2 where the command line is wrong, and with 0 after --help.
    let arguments = Arguments::parse();
    match run(&arguments.verb).and_then(|answer| output::write(&answer.text).map(|_| answer)) {
        Ok(answer) => ExitCode::from(answer.exit.code()),
        Err(failure) => {
            eprintln!("kubectl-chamber: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(verb: &Verb) -> Result<Answer, Failure> {
    match verb {
        Verb::Policy(verb) => policy::run(verb),
        Verb::Attestation(verb) => attestation::run(verb),
        Verb::Manifest(verb) => manifest::run(verb),
        Verb::Blob(verb) => blob::run(verb),
        Verb::Key(verb) => key::run(verb),
        Verb::Complete { words } => Ok(complete::run(words)),
        Verb::Completion { shell } => Ok(completion::run(*shell)),
        Verb::Cluster(verb) => cluster::run(verb),
        Verb::Support(SupportVerb::Bundle(asked)) => cluster::bundle(asked),
        Verb::DescribeEif { file, output } => describe_eif::run(file, *output),
    }
}
