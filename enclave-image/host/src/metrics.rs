//! What the agent reports, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chamber_link::ShareResult;

use crate::exposition::Page;

/// Series of shares at most: ten keys, and as many again after each change of keys.
const MAX_SHARE_SERIES: usize = 128;
/// A key's ARN has no more.
const MAX_KEY: usize = 256;

/// Everything that is counted. Counters start at 0 with the process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub unsealed: bool,
    pub successes: u64,
    pub failures: u64,
    pub rejected: u64,
    pub restarts: u64,
    pub shares: BTreeMap<(String, ShareResult), u64>,
    pub spoiled: BTreeSet<u8>,
    pub image_sha384: Option<String>,
    pub unseal_time: Duration,
    pub fetched: u64,
    pub not_fetched: u64,
    /// Seconds since 1970.
    pub credentials_end: Option<u64>,
    /// Seconds; negative behind this machine's.
    pub clock_skew: Option<i64>,
}

impl Metrics {
    /// Counts one share; keys that an enclave makes up are counted together.
    pub fn count_share(&mut self, key: &str, result: ShareResult) {
        let short: String = key.chars().take(MAX_KEY).collect();
        let mut series = (short, result);
        if self.shares.len() >= MAX_SHARE_SERIES && !self.shares.contains_key(&series) {
            series = ("others".to_owned(), result);
        }
        *self.shares.entry(series).or_default() += 1;
    }

    /// One line a sample, with HELP and TYPE; the names that gates look at are there from the start.
    pub fn render(&self, out: &mut Page) {
        out.family(
            "chamber_tee_unseal_total",
            "counter",
            "Attempts to unseal, by outcome.",
        );
        out.sample(
            "chamber_tee_unseal_total",
            &[("status", "success")],
            self.successes,
        );
        out.sample(
            "chamber_tee_unseal_total",
            &[("status", "failure")],
            self.failures,
        );
        let help =
            "Shares that KMS refused to decrypt for this measurement (AccessDeniedException).";
        out.family("kms_attestation_rejected", "counter", help);
        out.sample("kms_attestation_rejected", &[], self.rejected);
        self.render_shares(out);
        out.family(
            "chamber_measurement_info",
            "gauge",
            "The PCR0 that the enclave attests.",
        );
        if let Some(image) = &self.image_sha384 {
            out.sample("chamber_measurement_info", &[("image_sha384", image)], 1);
        }
        out.family(
            "chamber_unsealed",
            "gauge",
            "1 while the workload has the master key.",
        );
        out.sample("chamber_unsealed", &[], u64::from(self.unsealed));
        let help = "From the begin of an attempt until the workload has the master key.";
        out.family("chamber_unseal_duration_seconds", "summary", help);
        let seconds = self.unseal_time.as_secs_f64();
        out.line(
            "chamber_unseal_duration_seconds_sum",
            &[],
            &seconds.to_string(),
        );
        out.sample("chamber_unseal_duration_seconds_count", &[], self.successes);
        let help = "Enclaves that ended by themselves and were started again.";
        out.family("chamber_enclave_restarts_total", "counter", help);
        out.sample("chamber_enclave_restarts_total", &[], self.restarts);
        self.render_credentials(out);
    }

    fn render_shares(&self, out: &mut Page) {
        let help = "Shares asked for, by key and result.";
        out.family("chamber_tee_share_total", "counter", help);
        for ((key, result), count) in &self.shares {
            let labels = [("key", key.as_str()), ("result", result.name())];
            out.sample("chamber_tee_share_total", &labels, *count);
        }
        let help =
            "1 for each share that opened but does not fit the others: somebody tampered with it.";
        out.family("chamber_tee_share_spoiled", "gauge", help);
        for index in &self.spoiled {
            out.sample(
                "chamber_tee_share_spoiled",
                &[("index", &index.to_string())],
                1,
            );
        }
    }

    fn render_credentials(&self, out: &mut Page) {
        let name = "chamber_credentials_total";
        let help = "Times that AWS credentials were asked of their source, by result.";
        out.family(name, "counter", help);
        out.sample(name, &[("result", "fetched")], self.fetched);
        out.sample(name, &[("result", "failed")], self.not_fetched);
        let name = "chamber_credentials_expiry_timestamp_seconds";
        let help =
            "End of the AWS credentials that are held; others are fetched five minutes before.";
        out.family(name, "gauge", help);
        if let Some(end) = self.credentials_end {
            out.sample(name, &[], end);
        }
        let name = "chamber_enclave_clock_skew_seconds";
        let help =
            "The enclave's clock less this machine's; KMS takes requests within 300 s of its own.";
        out.family(name, "gauge", help);
        if let Some(skew) = self.clock_skew {
            out.line(name, &[], &skew.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(metrics: &Metrics) -> String {
        let mut page = Page::default();
        metrics.render(&mut page);
        page.text()
    }

    fn samples(metrics: &Metrics) -> Vec<String> {
        let page = page(metrics);
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(ToOwned::to_owned).collect()
    }

    #[test]
    fn what_gates_look_at_is_there_from_the_start_with_0() {
        let samples = samples(&Metrics::default());
        for line in [
            "chamber_tee_unseal_total{status=\"success\"} 0",
            "chamber_tee_unseal_total{status=\"failure\"} 0",
            "kms_attestation_rejected 0",
        ] {
            assert!(samples.iter().any(|sample| sample == line), "{line}");
        }
    }

    #[test]
    fn the_rejection_counter_keeps_its_given_name_and_is_a_counter() {
        let page = page(&Metrics::default());
        assert!(page.contains("\n# TYPE kms_attestation_rejected counter\n"));
        assert!(!page.contains("kms_attestation_rejected_total"));
    }

    #[test]
    fn labels_are_escaped() {
        let mut metrics = Metrics::default();
        let key = ("a\"b\\c\nd".to_owned(), ShareResult::Denied);
        metrics.shares.insert(key, 2);
        let line = "chamber_tee_share_total{key=\"a\\\"b\\\\c\\nd\",result=\"denied\"} 2";
        assert!(samples(&metrics).iter().any(|sample| sample == line));
    }
}
