//! Findings as documents: JSON of our own, and SARIF 2.1.0 for code scanning.

use serde_json::{Value, json};

use crate::json::position::{self, Position};
use crate::template::Template;
use crate::{Finding, MAX_SIZE, Policy, RuleId, Severity, lint, room};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// How large a policy is, of what KMS takes, and how many images it has room for: `{"bytes", "limit", "room"}`.
pub fn size(policy: &Policy, template: &Template) -> Value {
    json!({ "bytes": policy.size(), "limit": MAX_SIZE, "room": room(policy, template).ok() })
}

/// `{"findings": [{"rule", "severity", "message", "why", "cure", "prowler"}]}`.
pub fn json(findings: &[Finding]) -> Value {
    let listed = findings.iter().map(|finding| {
        let rule = finding.rule.rule();
        json!({
            "rule": finding.rule.to_string(),
            "severity": finding.severity.to_string(),
            "message": finding.message,
            "why": rule.why,
            "cure": finding.cure,
            "prowler": rule.prowler.map(prowler),
        })
    });
    json!({ "findings": listed.collect::<Vec<_>>() })
}

/// One run over one file, with all rules described. `uri` names the file, relative to the repository;
/// `text` is what is in it: a result is where its statement begins, or at the first line.
pub fn sarif(findings: &[Finding], uri: &str, text: &str) -> Value {
    let policy = Policy::parse(text).ok();
    let region = |finding: &Finding| {
        let statement = policy
            .as_ref()
            .and_then(|policy| lint::statement_of(finding, policy));
        let place = statement.map_or(Position { line: 1, column: 1 }, |index| {
            position::of_statement(text, index)
        });
        json!({ "startLine": place.line, "startColumn": place.column })
    };
    let results = findings.iter().map(|finding| {
        let index = RuleId::all().position(|rule| rule == finding.rule);
        json!({
            "ruleId": finding.rule.to_string(),
            "ruleIndex": index,
            "level": finding.severity.to_string(),
            "message": { "text": format!("{}. {}.", finding.message, finding.cure) },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region(finding) } }],
        })
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "kubectl-chamber", "version": env!("CARGO_PKG_VERSION"), "rules": rules() } },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

/// Whether a person has to look: a warning or an error is among them.
pub fn is_clean(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.severity == Severity::Note)
}

fn rules() -> Vec<Value> {
    let rules = RuleId::all().map(|id| {
        let rule = id.rule();
        json!({
            "id": id.to_string(),
            "shortDescription": { "text": rule.why },
            "help": { "text": rule.cure },
            "defaultConfiguration": { "level": rule.severity.to_string() },
        })
    });
    rules.collect()
}

fn prowler(check: &str) -> String {
    format!("kms_key_enclave_attestation_{check}")
}
