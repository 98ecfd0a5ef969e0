//! Kills the operator at every call of a rollover in turn. `kill-matrix [POINTS]`: an evenly spaced sample of so many.

use std::process::ExitCode;

use e2e::kill_matrix::{self, Score};

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let sample = match std::env::args().nth(1).map(|word| word.parse()) {
        None => None,
        Some(Ok(points)) => Some(points),
        Some(Err(_)) => {
            println!("usage: kill-matrix [POINTS]");
            return ExitCode::FAILURE;
        }
    };
    let mut score = Score::default();
    if let Err(error) = Box::pin(kill_matrix::run(sample, &mut score)).await {
        println!("the kill matrix ended early: {error:#}");
        score.failed += 1;
    }
    if score.missed > 0 {
        println!("{} points were not reached", score.missed);
    }
    println!("{} passed, {} failed", score.passed, score.failed);
    if score.failed == 0 && score.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
