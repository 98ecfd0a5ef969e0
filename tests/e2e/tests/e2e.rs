//! Runs the scenarios against one cluster: those that only look at their own namespace side by side, the others alone.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use e2e::scenarios::{ALL, Scenario};
use e2e::stage::Stage;
use futures::{StreamExt, stream};

/// Scenarios side by side: the machine has two cores.
const SIDE_BY_SIDE: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let chosen: Vec<&Scenario> = ALL
        .iter()
        .filter(|scenario| {
            wanted.is_empty() || wanted.iter().any(|word| scenario.name.contains(word))
        })
        .collect();
    match Box::pin(run(&chosen)).await {
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            if failed == 0 && passed > 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            println!("the stage could not be set: {error:#}");
            println!("0 passed, {} failed", chosen.len());
            ExitCode::FAILURE
        }
    }
}

async fn run(chosen: &[&Scenario]) -> Result<(usize, usize)> {
    let names: Vec<_> = chosen.iter().map(|scenario| scenario.name).collect();
    let stage = Box::pin(Stage::set(&names)).await?;
    let (alone, beside): (Vec<_>, Vec<_>) = chosen.iter().partition(|scenario| scenario.alone);
    let mut results: Vec<bool> = stream::iter(beside)
        .map(|scenario| play(&stage, scenario))
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    for scenario in alone {
        results.push(play(&stage, scenario).await);
    }
    let passed = results.iter().filter(|passed| **passed).count();
    let failed = results.len() - passed;
    if failed == 0 {
        stage.tear_down().await?;
    } else {
        println!("the cluster is left as it is: `cargo run -p cluster -- shell --name e2e`");
    }
    Ok((passed, failed))
}

async fn play(stage: &Stage, scenario: &Scenario) -> bool {
    let started = Instant::now();
    let result = (scenario.play)(stage).await;
    let seconds = started.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("test {} ... ok ({seconds:.1} s)", scenario.name),
        Err(error) => println!(
            "test {} ... FAILED ({seconds:.1} s): {error:#}",
            scenario.name
        ),
    }
    result.is_ok()
}
