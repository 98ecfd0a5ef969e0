//! `spec.verification`, as far as the planner's numbers do not show it.

use chamber_api::{Attestation, Sealing, Verification};
use rollover::Gate;

use crate::Fault;

/// Whether chambers are asked to attest: by default where our agent is in them.
pub fn gate(verification: &Verification, sealing: Sealing) -> Result<Gate, Fault> {
    match (verification.attestation, sealing) {
        (Some(Attestation::Disabled), _) | (None, Sealing::External) => Ok(Gate::Disabled),
        (Some(Attestation::Required), Sealing::Managed) => Ok(Gate::Required),
        (Some(Attestation::Preferred) | None, Sealing::Managed) => Ok(Gate::Preferred),
        (Some(Attestation::Required | Attestation::Preferred), Sealing::External) => {
            Err(Fault::invalid(
                "spec.verification.attestation is Required or Preferred with spec.sealing External: only our agent attests. Leave it out, or set it to Disabled",
            ))
        }
    }
}

/// No secrets in the URL, and a query whose samples' times can be read.
pub fn check(verification: &Verification) -> Result<(), Fault> {
    url(&verification.prometheus.url)?;
    match verification.queries.unsealed.as_deref() {
        Some(query) if !is_selector(query) => Err(Fault::invalid(
            "spec.verification.queries.unsealed is no plain selector: the times of its samples are read, which functions, operators, ranges, `offset` and `@` hide. Write name{label=\"value\",...}",
        )),
        _ => Ok(()),
    }
}

/// What is wrong with it, never its text: that may hold a password.
fn url(url: &str) -> Result<(), Fault> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
        return Err(Fault::invalid(
            "spec.verification.prometheus.url is no http or https URL",
        ));
    };
    if rest
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|authority| authority.contains('@'))
    {
        return Err(Fault::invalid(
            "spec.verification.prometheus.url holds a user name or a password: put them into the Secret that spec.verification.prometheus.credentialsSecret names",
        ));
    }
    if rest.contains(['?', '#']) {
        return Err(Fault::invalid(
            "spec.verification.prometheus.url has a query or a fragment: it is the base of the API's paths",
        ));
    }
    Ok(())
}

/// Whether a query is one instant vector selector: a name, matchers in braces, or both, and nothing else.
fn is_selector(query: &str) -> bool {
    let query = query.trim();
    let name = query
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(query.len());
    let (name, rest) = query.split_at(name);
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    match rest.trim_start().strip_prefix('{') {
        None => rest.is_empty() && !name.is_empty(),
        Some(matchers) => after_braces(matchers).is_some_and(str::is_empty),
    }
}

/// What follows the closing brace; braces and escapes in quoted values do not count, comments are not understood.
fn after_braces(matchers: &str) -> Option<&str> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in matchers.char_indices() {
        match quote {
            Some(open) => {
                let ends = c == open && !escaped;
                escaped = c == '\\' && open != '`' && !escaped;
                quote = quote.filter(|_| !ends);
            }
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if c == '}' => return matchers.get(at + 1..),
            None if matches!(c, '#' | '{') => return None,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_selector_is_a_name_or_matchers_and_nothing_else() {
        for query in [
            "up",
            "job:up:sum",
            "{job=\"a\"}",
            " up {pod=~\"$pods\", namespace='$namespace'} ",
            "up{a=\"}\\\"#\",b=`\\`}",
        ] {
            assert!(is_selector(query), "{query}");
        }
    }

    #[test]
    fn what_hides_the_time_of_a_sample_is_none() {
        for query in [
            "",
            "1",
            "sum by (pod) (up)",
            "up offset 5m",
            "up{a=\"b\"} offset 5m",
            "up @ 10",
            "up[5m]",
            "up{a=\"b\"}[5m]",
            "up{a=\"b\"} or up",
            "up + 0",
            "max_over_time(up[5m])",
            "(up)",
            "up{a=\"b\" # }\n} or vector(1)",
            "up{a=\"b\"",
            "-up",
        ] {
            assert!(!is_selector(query), "{query}");
        }
    }
}
