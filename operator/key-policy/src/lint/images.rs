//! What a policy admits against the releases that are known.

use measurement::Measurement;

use super::{Finding, RuleId, Severity};
use crate::Policy;
use crate::project::admitted;
use crate::template::Template;

/// Measurements and pinned registers that none of the known releases has; nothing where statement 3 cannot be read.
pub fn lint_images(policy: &Policy, template: &Template, known: &[Measurement]) -> Vec<Finding> {
    let Ok(admitted) = admitted(policy, template) else {
        return Vec::new();
    };
    let has = |index: u8, value: &str| {
        let mut registers = known.iter().filter_map(|release| release.register(index));
        registers.any(|pcr| pcr.to_string() == value)
    };
    let images = admitted.image_sha384.iter().filter(|value| !has(0, value));
    let mut findings: Vec<_> = images
        .map(|value| {
            Finding::new(
                RuleId::UnknownImage,
                Severity::Warning,
                format!("the image {value} is admitted, and no known release has it"),
                "Remove it, or find out whose image it is",
            )
        })
        .collect();
    for (index, values) in &admitted.registers {
        let unknown = values.iter().filter(|value| !has(*index, value));
        findings.extend(unknown.map(|value| {
            Finding::new(
                RuleId::PcrMismatch,
                Severity::Warning,
                format!("PCR{index} is pinned to {value}, which no known release has"),
                "Pin what `describe-eif` prints for the release",
            )
        }));
    }
    findings
}
