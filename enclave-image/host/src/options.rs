//! The command line. Endpoints, roots and how an enclave is made are no options.

use std::net::SocketAddr;
use std::path::PathBuf;

use measurement::Pcr;

use crate::nitro::Launch;

/// The parent of one chamber: starts its enclave, relays it to KMS and clients to it, serves metrics and health.
#[derive(clap::Parser)]
#[command(version)]
pub struct Options {
    /// The enclave image file.
    #[arg(long, env = "CHAMBER_EIF", default_value = "/chamber.eif")]
    pub eif: PathBuf,
    /// PCR0 that the image has to have, 96 hex characters: the release's.
    #[arg(long, env = "CHAMBER_IMAGE_SHA384")]
    pub image_sha384: Option<Pcr>,
    /// MiB of huge pages that the enclave gets.
    #[arg(long, env = "CHAMBER_MEMORY_MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    pub memory_mib: u32,
    /// CPUs that the enclave gets, of the node's pool; whole cores, so an even number where cores have two threads.
    #[arg(long, env = "CHAMBER_CPUS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub cpus: u32,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, env = "CHAMBER_METRICS", default_value = "0.0.0.0:3000")]
    pub metrics: SocketAddr,
    /// Address of the workload's port.
    #[arg(long, env = "CHAMBER_WORKLOAD", default_value = "0.0.0.0:9000")]
    pub workload: SocketAddr,
    /// Where the result of a seal request, or the reason of a failure, is written.
    #[arg(
        long,
        env = "CHAMBER_TERMINATION_LOG",
        default_value = "/dev/termination-log"
    )]
    pub termination_log: PathBuf,
    /// Starts the enclave in debug mode and logs its console. It attests zeros, and neither seals nor unseals.
    #[arg(long)]
    pub debug_mode: bool,
}

impl Options {
    /// What is said of the enclave.
    pub fn launch(&self) -> Launch<'_> {
        Launch {
            eif: &self.eif,
            expected: self.image_sha384,
            memory_mib: self.memory_mib,
            cpus: self.cpus,
            debug: self.debug_mode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn there_is_no_option_for_another_enclave_kms_or_root() {
        let command = Options::command();
        let options = command.get_arguments().filter_map(clap::Arg::get_long);
        assert_eq!(
            options.collect::<Vec<_>>(),
            [
                "eif",
                "image-sha384",
                "memory-mib",
                "cpus",
                "metrics",
                "workload",
                "termination-log",
                "debug-mode"
            ]
        );
        let debug = command
            .get_arguments()
            .find(|a| a.get_long() == Some("debug-mode"));
        assert_eq!(debug.unwrap().get_env(), None, "only said on purpose");
    }

    #[test]
    fn the_page_has_every_option_with_its_variable() {
        let page = include_str!("../../../docs/enclave-host.md");
        for argument in Options::command().get_arguments() {
            let row = format!("| `--{}` | ", argument.get_long().unwrap());
            let (_, row) = page.split_once(&row).expect("a row");
            let variable = argument.get_env().map(|name| name.to_str().unwrap());
            let expected =
                variable.map_or("none, on purpose".to_owned(), |name| format!("`{name}`"));
            assert!(row.starts_with(&expected), "{expected}");
        }
    }

    #[test]
    fn a_measurement_that_is_none_is_refused() {
        let parsed = |value: &str| Options::try_parse_from(["host", "--image-sha384", value]);
        assert!(parsed(&"ab".repeat(48)).is_ok());
        for bad in ["", "ab", &"AB".repeat(48)] {
            let error = parsed(bad).err().unwrap().to_string();
            assert!(
                error.contains("96 hex characters") || error.contains("only 0-9"),
                "{error}"
            );
        }
    }
}
