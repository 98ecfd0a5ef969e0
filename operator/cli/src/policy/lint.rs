//! `policy lint`.

use std::fmt::Write;

use key_policy::{Finding, MAX_SIZE, Policy, Severity, Template, report};

use crate::arguments::{Output, Report};
use crate::input;
use crate::kms::{self, Key};
use crate::output::{self, Answer, Colour, Failure, paint};

/// What is linted: the document, and what was found.
struct Linted {
    text: String,
    policy: Policy,
    findings: Vec<Finding>,
}

/// Lints a policy.
pub fn run(file: &str, template: &Template, report: Report) -> Result<Answer, Failure> {
    let linted = if file.starts_with("arn:") {
        of_key(file, template)?
    } else {
        let text = input::policy_text(file)?;
        linted(file, text, template)?
    };
    let Linted {
        text,
        policy,
        findings,
    } = linted;
    let value = || {
        let mut value = report::json(&findings);
        value["size"] = report::size(&policy, template);
        value
    };
    let answer = match report {
        Report::Human => human(&findings) + &size(&policy, template),
        Report::Json => output::json(&value()),
        Report::Yaml => output::form(&value(), Output::Yaml, String::new)?,
        Report::Sarif => {
            let name = if file == "-" { "stdin" } else { file };
            output::json(&report::sarif(&findings, name, &text))
        }
    };
    Ok(Answer {
        text: answer,
        clean: report::is_clean(&findings),
    })
}

fn linted(name: &str, text: String, template: &Template) -> Result<Linted, Failure> {
    let policy = Policy::parse(&text).map_err(|why| Failure::read(name, &why))?;
    let findings = key_policy::lint(&policy, template);
    Ok(Linted {
        text,
        policy,
        findings,
    })
}

/// Findings of a key: of its policy, and of what KMS says of the key itself.
fn of_key(arn: &str, template: &Template) -> Result<Linted, Failure> {
    output::wait_for(async {
        let key = Key::new(&kms::environment().await, arn)?;
        let mut linted = linted(arn, key.policy().await?, template)?;
        linted
            .findings
            .extend(key_policy::lint_key(&key.facts().await?));
        Ok(linted)
    })
}

fn size(policy: &Policy, template: &Template) -> String {
    let room = match key_policy::room(policy, template) {
        Ok(images) => format!(", room for {images} images"),
        Err(_) => String::new(),
    };
    format!("{} of {MAX_SIZE} bytes{room}\n", policy.size())
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
