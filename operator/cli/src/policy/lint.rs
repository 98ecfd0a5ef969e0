//! `policy lint`.

use std::fmt::Write;

use key_policy::{Finding, Policy, Severity, Template, report};

use crate::arguments::{Output, Report};
use crate::input;
use crate::kms::{self, Key};
use crate::output::{self, Answer, Colour, Failure, paint};

/// Lints a policy.
pub fn run(file: &str, template: &Template, report: Report) -> Result<Answer, Failure> {
    let findings = if file.starts_with("arn:") {
        of_key(file, template)?
    } else {
        key_policy::lint(&input::policy(file)?, template)
    };
    let value = || report::json(&findings);
    let text = match report {
        Report::Human => human(&findings),
        Report::Json => output::json(&value()),
        Report::Yaml => output::form(&value(), Output::Yaml, String::new)?,
        Report::Sarif => output::json(&report::sarif(
            &findings,
            if file == "-" { "stdin" } else { file },
        )),
    };
    Ok(Answer {
        text,
        clean: report::is_clean(&findings),
    })
}

/// Findings of a key: of its policy, and of what KMS says of the key itself.
fn of_key(arn: &str, template: &Template) -> Result<Vec<Finding>, Failure> {
    output::wait_for(async {
        let key = Key::new(&kms::environment().await, arn)?;
        let policy = Policy::parse(&key.policy().await?).map_err(|why| Failure::read(arn, &why))?;
        let mut findings = key_policy::lint(&policy, template);
        findings.extend(key_policy::lint_key(&key.facts().await?));
        Ok(findings)
    })
}

fn human(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let colour = match finding.severity {
            Severity::Error => Colour::Red,
            Severity::Warning => Colour::Yellow,
            Severity::Note => Colour::Dim,
        };
        let label = format!("{:<8}", finding.severity);
        let _ = writeln!(text, "{}{}", paint(colour, label), finding.rule);
        let _ = writeln!(text, "        {}", finding.message);
        let _ = writeln!(
            text,
            "        {} {}",
            paint(Colour::Dim, "cure:"),
            finding.cure
        );
    }
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let _ = writeln!(
        text,
        "{} errors, {} warnings, {} notes",
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Note)
    );
    text
}
