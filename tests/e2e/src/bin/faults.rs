//! Rollovers while something fails. `faults [WORD...]`: those whose name contains one of the words.

use std::process::ExitCode;

use e2e::faults::{self, Score};

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut score = Score::default();
    if let Err(error) = Box::pin(faults::run(&wanted, &mut score)).await {
        println!("the faults ended early: {error:#}");
        score.failed += 1;
    }
    println!("{} passed, {} failed", score.passed, score.failed);
    if score.failed == 0 && score.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
