//! `make laws`: searches small worlds, two at a time, and says how many distinct states were seen.

use std::sync::Mutex;
use std::thread;

use clap::Parser;
use laws::search::{Found, Search, run};
use laws::setup::Size;
use laws::worlds::{self, Extent, named};

/// Searches small worlds for a broken law.
#[derive(Parser)]
struct Arguments {
    /// States of each world at most.
    #[arg(long, default_value_t = 150_000)]
    limit: usize,
    /// Things that may go wrong on one way.
    #[arg(long, default_value_t = 2)]
    faults: u8,
    /// Things that the user may ask for on one way.
    #[arg(long, default_value_t = 1)]
    wishes: u8,
    /// Only the worlds whose rules, as they are printed, hold this text.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let search = Search {
        limit: arguments.limit,
        mutant: None,
        fuse: true,
    };
    let mut worlds = worlds::all(Extent {
        faults: arguments.faults,
        wishes: arguments.wishes,
    });
    worlds.retain(|size| named(*size).contains(&arguments.only));
    let left = Mutex::new(worlds);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(size) = left.lock().ok().and_then(|mut left| left.pop()) {
                    let found = run(size, search);
                    report(size, &found);
                    if let Ok(mut results) = results.lock() {
                        results.push(found);
                    }
                }
            });
        }
    });
    summary(&results.into_inner().unwrap_or_default())
}

fn report(size: Size, found: &Result<Found, String>) {
    let world = named(size);
    match found {
        Err(fault) => println!("{world}: {fault}"),
        Ok(found) => {
            let extent = if found.complete { "all" } else { "the first" };
            println!(
                "{world}: {extent} {} states, {} transitions",
                found.states, found.transitions
            );
            if let Some((violation, way)) = &found.broken {
                println!("  LAW {} BROKEN: {}", violation.law, violation.message);
                for step in way {
                    println!("    {step}");
                }
            }
        }
    }
}

fn summary(results: &[Result<Found, String>]) -> std::process::ExitCode {
    let found: Vec<_> = results.iter().flatten().collect();
    let states: usize = found.iter().map(|found| found.states).sum();
    let broken = found.iter().filter(|found| found.broken.is_some()).count();
    let failed = broken + results.len() - found.len();
    println!(
        "{} worlds, {failed} failed: {states} distinct states",
        results.len()
    );
    if failed == 0 {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
