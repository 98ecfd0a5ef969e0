//! `demo`: one rollover from release v1 to v2 on a real cluster, told as it happens. `MODE=enclave`: every chamber boots
//! an enclave image file.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // kube and the emulator's client must agree on one provider before either is used.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mode = std::env::var("MODE").ok();
    let told = async { demo::story::tell(demo::story::form(mode.as_deref())?).await };
    match told.await {
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
