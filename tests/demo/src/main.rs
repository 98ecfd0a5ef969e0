//! `demo`: one rollover from release v1 to v2 on a real cluster, told as it happens.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // kube and the emulator's client must agree on one provider before either is used.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match demo::story::tell().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("demo: a check did not hold, see FAILED above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
