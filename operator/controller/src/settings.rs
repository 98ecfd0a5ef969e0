//! Settings of the operator, from flags or the environment. AWS settings come from AWS's own environment.

use std::net::SocketAddr;

use clap::Args;
use jiff::SignedDuration;

use crate::bindings::{self, Bindings};
use crate::prometheus::{self, Proxy, Servers};

/// Settings of `chamber-operator run`.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, env = "CHAMBER_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Time between two readings of the keys of a settled cluster, for example 10m.
    #[arg(long, env = "CHAMBER_DRIFT_INTERVAL", default_value = "10m")]
    pub drift_interval: SignedDuration,
    /// Namespaces to watch, separated by commas; all when none is given.
    #[arg(
        long = "watch-namespace",
        env = "CHAMBER_WATCH_NAMESPACE",
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,
    /// Which namespaces may use which keys and roles, as JSON:
    /// `[{"namespaces": ["prod-*"], "keys": ["arn:aws:kms:..."], "roles": ["arn:aws:iam:..."]}]`. None: any.
    #[arg(long, env = "CHAMBER_BINDINGS", default_value = "[]", value_parser = bindings::parse)]
    pub bindings: Bindings,
    /// Which namespaces may name which Prometheus servers, as JSON:
    /// `[{"namespaces": ["*"], "urls": ["http://prometheus.monitoring:9090"], "credentials": "/folder"}]`. None: any.
    #[arg(long, env = "CHAMBER_PROMETHEUS_SERVERS", default_value = "[]", hide_env_values = true, value_parser = prometheus::parse)]
    pub prometheus_servers: Servers,
    /// Proxy for questions to Prometheus (http, https). None: `HTTP_PROXY` and its like are not followed.
    #[arg(long, env = "CHAMBER_PROMETHEUS_PROXY", hide_env_values = true)]
    pub prometheus_proxy: Option<Proxy>,
    /// Namespace of the Lease.
    #[arg(
        long,
        env = "CHAMBER_LEASE_NAMESPACE",
        default_value = "chamber-operator"
    )]
    pub lease_namespace: String,
    /// Name of the Lease.
    #[arg(long, env = "CHAMBER_LEASE_NAME", default_value = "chamber-operator")]
    pub lease_name: String,
    /// This replica's name in the Lease and in Events; no other may have it. By default the host's name and a random part.
    #[arg(long, env = "POD_NAME", default_value_t = identity(), hide_default_value = true)]
    pub identity: String,
    /// Log filter, for example `info,chamber_operator=debug`.
    #[arg(long, env = "CHAMBER_LOG", default_value = "info")]
    pub log: String,
    /// text or json.
    #[arg(long, env = "CHAMBER_LOG_FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
}

/// A name that no other process has, as `<host>-<16 hex characters>`.
fn identity() -> String {
    use std::hash::{BuildHasher, RandomState};
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "chamber-operator",
        name => name,
    };
    // The keys of a hasher are random in each process, and differ each time.
    let random = RandomState::new().hash_one(std::process::id());
    format!("{host}-{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form for tests is another binary (tests/dev-operator), made of the same library.
    #[test]
    fn no_setting_changes_the_root_of_attestation_documents() {
        let all = Settings::augment_args(clap::Command::new("run"));
        let names = all.get_arguments().map(|argument| {
            let variable = argument.get_env().unwrap_or_default();
            format!("{} {}", argument.get_id(), variable.display()).to_lowercase()
        });
        let names: Vec<_> = names.collect();
        assert!(names.len() > 5);
        for word in ["root", "nitro", "attest"] {
            let found = names.iter().find(|name| name.contains(word));
            assert_eq!(found, None, "{word}");
        }
    }

    #[test]
    fn two_processes_without_a_name_have_two() {
        let (one, two) = (identity(), identity());
        assert_ne!(one, two);
        // events.k8s.io takes a reportingInstance of at most 128 characters.
        assert!(one.len() <= 128 && one.contains('-'), "{one}");
    }
}
