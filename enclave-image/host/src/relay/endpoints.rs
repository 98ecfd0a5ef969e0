//! Which hosts the relay connects to: KMS in the Regions of the chamber's keys, and nothing else.

use std::collections::BTreeSet;
use std::fmt;

use cluster_manifest::KeyArn;

/// Partition, DNS suffix, DNS suffix of dual-stack endpoints (`partitions.json` of AWS's SDKs).
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("aws", "amazonaws.com", "api.aws"),
    ("aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("aws-iso", "c2s.ic.gov", "api.aws.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"),
    ("aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("aws-us-gov", "amazonaws.com", "api.aws"),
];
/// With FIPS 140 validated cryptography, and without.
const SERVICES: [&str; 2] = ["kms", "kms-fips"];
/// Regions have at most 20 characters today.
const MAX_REGION: usize = 32;

/// Host names of KMS endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    regions: BTreeSet<String>,
    hosts: BTreeSet<String>,
}

impl Endpoints {
    /// The endpoints of these keys; an ARN that names no partition and Region of AWS adds none.
    pub fn of_keys<'a>(arns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut endpoints = Self::default();
        for arn in arns.into_iter().filter_map(KeyArn::parse) {
            endpoints.add(arn.partition, arn.region);
        }
        endpoints
    }

    /// The endpoints of a Region whose partition nobody named.
    pub fn of_region(region: &str) -> Self {
        let mut endpoints = Self::default();
        for (partition, ..) in PARTITIONS {
            endpoints.add(partition, region);
        }
        endpoints
    }

    fn add(&mut self, partition: &str, region: &str) {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if region.is_empty() || region.len() > MAX_REGION || !region.bytes().all(plain) {
            return;
        }
        let known = PARTITIONS.iter().find(|(name, ..)| *name == partition);
        let Some((_, suffix, dual_stack)) = known else {
            return;
        };
        self.regions.insert(region.to_owned());
        for service in SERVICES {
            for suffix in [suffix, dual_stack] {
                self.hosts.insert(format!("{service}.{region}.{suffix}"));
            }
        }
    }

    /// Whether this is one of them; DNS names have no case.
    pub fn allow(&self, host: &str) -> bool {
        self.hosts.contains(&host.to_ascii_lowercase())
    }

    /// No host at all.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
    }
}

/// The Regions, for messages.
impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions: Vec<_> = self.regions.iter().map(String::as_str).collect();
        f.write_str(&regions.join(", "))
    }
}

#[cfg(test)]
mod tests;
