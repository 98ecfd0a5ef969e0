//! `policy lint`.

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use chamber_resource::arn::Arn;
use key_policy::{Finding, MAX_SIZE, Policy, Severity, Template, report};

use super::read_as::{self, ReadAs};
use crate::arguments::{Cluster, Output, Report};
use crate::input;
use crate::kms::{self, Key};
use crate::output::{self, Answer, Colour, Exit, Failure, paint};

/// What stands for itself in a path (RFC 3986, unreserved characters and the slash).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// What is linted: the document, and what was found.
struct Linted {
    text: String,
    policy: Policy,
    read_as: ReadAs,
    template: Template,
    findings: Vec<Finding>,
}

/// Lints a policy.
pub fn run(
    file: &str,
    key: Option<&str>,
    cluster: &Cluster,
    report: Report,
) -> Result<Answer, Failure> {
    let linted = match (file.starts_with("arn:"), key) {
        (true, None) => of_key(file, cluster)?,
        (true, Some(key)) if key == file => of_key(file, cluster)?,
        (true, Some(key)) => {
            let why = format!("--key {key}: {file} is another key");
            return Err(Failure::Usage(why));
        }
        (false, key) => {
            let key = key.map(known_key).transpose()?;
            let text = input::policy_text(file)?;
            linted(file, key, text, cluster)?
        }
    };
    let Linted {
        text,
        policy,
        read_as,
        template,
        findings,
    } = linted;
    let value = || {
        let mut value = report::json(&findings);
        value["size"] = report::size(&policy, &template);
        value["readAs"] = read_as.value();
        value
    };
    let answer = match report {
        Report::Human => {
            read_as.line().unwrap_or_default() + &human(&findings) + &size(&policy, &template)
        }
        Report::Json => output::json(&value()),
        Report::Yaml => output::form(&value(), Output::Yaml, String::new)?,
        Report::Sarif => output::json(&report::sarif(&findings, &uri(file), &text)),
    };
    Ok(Answer {
        text: answer,
        exit: Exit::of(report::is_clean(&findings)),
    })
}

/// A key's ARN in full.
fn known_key(text: &str) -> Result<&str, Failure> {
    let known = Arn::parse(text).filter(|_| !text.contains(['*', '?']));
    known.map(|_| text).ok_or_else(|| {
        Failure::Usage(format!(
            "--key {text}: expected arn:aws:kms:<region>:<account>:key/<id>"
        ))
    })
}

fn linted(
    name: &str,
    key: Option<&str>,
    text: String,
    cluster: &Cluster,
) -> Result<Linted, Failure> {
    let policy = Policy::parse(&text).map_err(|why| Failure::read(name, &why))?;
    let read_as = read_as::of(cluster, key, &policy)?;
    let mut template = read_as.template(cluster);
    template.key_arn = key.map(str::to_owned);
    let findings = key_policy::lint(&policy, &template);
    Ok(Linted {
        text,
        policy,
        read_as,
        template,
        findings,
    })
}

/// Findings of a key: of its policy, and of what KMS says of the key itself.
fn of_key(arn: &str, cluster: &Cluster) -> Result<Linted, Failure> {
    output::wait_for(async {
        let key = Key::new(&kms::environment().await, arn)?;
        let mut linted = linted(arn, Some(arn), key.policy().await?, cluster)?;
        linted
            .findings
            .extend(key_policy::lint_key(&key.facts().await?));
        Ok(linted)
    })
}

/// What was linted as a URI (RFC 3986): an ARN is one, and a relative reference begins with no slash.
fn uri(name: &str) -> String {
    match name {
        "-" => return "stdin".to_owned(),
        arn if arn.starts_with("arn:") => return arn.to_owned(),
        _ => {}
    }
    let scheme = if name.starts_with('/') { "file://" } else { "" };
    format!("{scheme}{}", utf8_percent_encode(name, PATH))
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
    if findings
        .iter()
        .any(|one| one.message.contains("statement #"))
    {
        let note = "statements without a Sid are counted from #0";
        let _ = writeln!(text, "{note}");
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

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn names_of_files_are_uris() {
        assert_eq!(uri("-"), "stdin");
        assert_eq!(uri("keys/a b:1.json"), "keys/a%20b%3A1.json");
        assert_eq!(uri("/tmp/é.json"), "file:///tmp/%C3%A9.json");
        let arn = "arn:aws:kms:us-east-1:111122223333:key/a";
        assert_eq!(uri(arn), arn);
    }
}
