//! The end: who could decrypt when, what the client saw, how long it took, and whether all of it is as it must be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::printer::{Kind, Line, Printer};
use crate::aws::Tenant;
use crate::load::Stats;
use crate::probe::{ALLOWED, Answers, Asker, REFUSED};

/// A change of step and when it was seen.
pub type Timeline = Vec<(String, Duration)>;

/// KMS's answers before, during and after.
pub struct Moments {
    /// On v1.
    pub before: BTreeMap<Asker, Answers>,
    /// While every policy holds both.
    pub during: BTreeMap<Asker, Answers>,
    /// On v2.
    pub after: BTreeMap<Asker, Answers>,
}

/// Everything the judgement rests on.
pub struct Summary {
    /// Who could decrypt.
    pub moments: Moments,
    /// What the client counted.
    pub stats: Stats,
    /// When each step of the rollover was seen.
    pub timeline: Timeline,
    /// From the start of the demo.
    pub total: Duration,
}

/// Something that must be true.
#[derive(Debug, PartialEq)]
struct Check {
    holds: bool,
    text: String,
}

impl Summary {
    /// Prints all of it; whether every check holds.
    pub fn print(&self, printer: &Printer, tenant: &Tenant) -> bool {
        Printer::plain(&format!(
            "\nWho could decrypt the shares (keys a, b, c ...)\n{}",
            self.table(tenant)
        ));
        Printer::plain(&format!("Steps\n{}", self.durations()));
        let checks = self.checks(tenant);
        for check in &checks {
            let kind = if check.holds { Kind::Good } else { Kind::Bad };
            printer.print(&Line {
                kind,
                text: check.text.clone(),
            });
        }
        printer.say(format!("total {:.1} s", self.total.as_secs_f64()));
        checks.iter().all(|check| check.holds)
    }

    fn table(&self, tenant: &Tenant) -> String {
        let mut table = format!(
            "  {:<40}{:<12}{:<12}{:<12}\n",
            "", "before", "during", "after"
        );
        for asker in Asker::ALL {
            let cell = |moment: &BTreeMap<Asker, Answers>| letters(moment.get(&asker), tenant);
            let [before, during, after] = [
                &self.moments.before,
                &self.moments.during,
                &self.moments.after,
            ]
            .map(cell);
            // Writing to a String cannot fail.
            let _ok = writeln!(
                table,
                "  {:<40}{before:<12}{during:<12}{after:<12}",
                title(asker)
            );
        }
        table
    }

    /// How long each step lasted, until the next one was seen.
    fn durations(&self) -> String {
        let mut text = String::new();
        for (index, (step, begun)) in self.timeline.iter().enumerate() {
            if let Some((_, next)) = self.timeline.get(index + 1) {
                let lasted = next.saturating_sub(*begun).as_secs_f64();
                let _ok = writeln!(text, "  {step:<10}{lasted:>6.1} s");
            }
        }
        text
    }

    fn checks(&self, tenant: &Tenant) -> Vec<Check> {
        let moments = [
            ("before", &self.moments.before, &[Asker::EnclaveV1][..]),
            (
                "during",
                &self.moments.during,
                &[Asker::EnclaveV1, Asker::EnclaveV2][..],
            ),
            ("after", &self.moments.after, &[Asker::EnclaveV2][..]),
        ];
        let mut checks: Vec<_> = moments
            .into_iter()
            .map(|(name, answers, allowed)| access(name, answers, allowed, tenant))
            .collect();
        checks.push(self.v1_refused(tenant));
        checks.push(Check {
            holds: self.stats.failed == 0 && self.stats.sent > 0,
            text: self.requests(),
        });
        let keys = &self.stats.public_keys;
        checks.push(Check {
            holds: keys.len() == 1,
            text: format!("public keys seen by the client: {}", keys.join(", ")),
        });
        checks
    }

    fn requests(&self) -> String {
        let stats = &self.stats;
        let error = stats.last_error.as_deref();
        format!(
            "the client signed {} times, {} failed, the slowest took {} ms{}",
            stats.sent,
            stats.failed,
            stats.slowest_millis,
            error.map_or_else(String::new, |error| format!(" (last error: {error})"))
        )
    }

    fn v1_refused(&self, tenant: &Tenant) -> Check {
        let answers = self.moments.after.get(&Asker::EnclaveV1);
        let refused = |key: &String| {
            answers
                .and_then(|a| a.get(key))
                .is_some_and(|a| a == REFUSED)
        };
        let count = tenant.key_arns().iter().filter(|key| refused(key)).count();
        Check {
            holds: count == tenant.keys.len(),
            text: format!("v1 is now refused by {count} of {} keys", tenant.keys.len()),
        }
    }
}

/// Exactly `allowed` can decrypt, under every key; everybody else is refused by policy, not by some other error.
fn access(
    moment: &str,
    answers: &BTreeMap<Asker, Answers>,
    allowed: &[Asker],
    tenant: &Tenant,
) -> Check {
    let mut wrong = Vec::new();
    for asker in Asker::ALL {
        let expected = if allowed.contains(&asker) {
            ALLOWED
        } else {
            REFUSED
        };
        for key in tenant.key_arns() {
            let found = answers.get(&asker).and_then(|answers| answers.get(&key));
            let found = found.map_or("no answer", String::as_str);
            if found != expected {
                wrong.push(format!("{}, {key}: {found}", title(asker)));
            }
        }
    }
    let names: Vec<_> = allowed.iter().map(|asker| title(*asker)).collect();
    let expected = format!("{moment}: {} can decrypt, nobody else", names.join(" and "));
    let holds = wrong.is_empty();
    let text = if holds {
        expected
    } else {
        format!("{expected}; but {}", wrong.join("; "))
    };
    Check { holds, text }
}

fn title(asker: Asker) -> &'static str {
    match asker {
        Asker::EnclaveV1 => "enclave of v1",
        Asker::EnclaveV2 => "enclave of v2",
        Asker::WithoutAttestation => "enclave role without attestation",
        Asker::KeyAdmin => "key admin with an enclave of v2",
    }
}

/// The shares that could be decrypted, by name: `abc`, or `-`.
fn letters(answers: Option<&Answers>, tenant: &Tenant) -> String {
    let Some(answers) = answers else {
        return "?".into();
    };
    let open: String = ('a'..='z')
        .zip(tenant.key_arns())
        .filter(|(_, key)| answers.get(key).is_some_and(|answer| answer == ALLOWED))
        .map(|(name, _)| name)
        .collect();
    if open.is_empty() { "-".into() } else { open }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(tenant: &Tenant, allowed: &[Asker]) -> BTreeMap<Asker, Answers> {
        let one = |asker: Asker| {
            let result = if allowed.contains(&asker) {
                ALLOWED
            } else {
                REFUSED
            };
            let all = tenant
                .key_arns()
                .into_iter()
                .map(|key| (key, result.to_owned()));
            (asker, all.collect())
        };
        Asker::ALL.map(one).into()
    }

    fn good(tenant: &Tenant) -> Summary {
        let of = |allowed: &[Asker]| answers(tenant, allowed);
        Summary {
            moments: Moments {
                before: of(&[Asker::EnclaveV1]),
                during: of(&[Asker::EnclaveV1, Asker::EnclaveV2]),
                after: of(&[Asker::EnclaveV2]),
            },
            stats: Stats {
                sent: 100,
                failed: 0,
                public_keys: vec!["ab".into()],
                ..Stats::default()
            },
            timeline: vec![
                ("Admit".into(), Duration::from_secs(1)),
                ("Roll".into(), Duration::from_secs(3)),
                ("Settled".into(), Duration::from_secs(10)),
            ],
            total: Duration::from_mins(1),
        }
    }

    fn tenant() -> Tenant {
        Tenant::new("demo", "signer", "id", 3).unwrap()
    }

    fn failures(summary: &Summary, tenant: &Tenant) -> Vec<String> {
        let checks = summary.checks(tenant).into_iter();
        checks
            .filter(|check| !check.holds)
            .map(|check| check.text)
            .collect()
    }

    #[test]
    fn a_good_rollover_passes() {
        let tenant = tenant();
        assert_eq!(failures(&good(&tenant), &tenant), Vec::<String>::new());
    }

    #[test]
    fn an_old_release_that_still_decrypts_is_caught() {
        let tenant = tenant();
        let mut summary = good(&tenant);
        let v1 = summary.moments.after.get_mut(&Asker::EnclaveV1).unwrap();
        v1.insert(tenant.key_arns()[1].clone(), ALLOWED.into());
        assert_eq!(failures(&summary, &tenant).len(), 2);
    }

    #[test]
    fn another_error_is_no_refusal() {
        let tenant = tenant();
        let mut summary = good(&tenant);
        let admin = summary.moments.during.get_mut(&Asker::KeyAdmin).unwrap();
        admin.insert(tenant.key_arns()[0].clone(), "ThrottlingException".into());
        assert_eq!(failures(&summary, &tenant).len(), 1);
    }

    #[test]
    fn a_failed_request_or_a_second_public_key_is_caught() {
        let tenant = tenant();
        let mut summary = good(&tenant);
        summary.stats.failed = 1;
        summary.stats.public_keys.push("cd".into());
        assert_eq!(failures(&summary, &tenant).len(), 2);
    }

    #[test]
    fn the_table_names_the_shares() {
        let tenant = tenant();
        let table = good(&tenant).table(&tenant);
        let v2 = table
            .lines()
            .find(|line| line.contains("enclave of v2 "))
            .unwrap();
        let cells: Vec<_> = v2.split_whitespace().rev().take(3).collect();
        assert_eq!(cells, ["abc", "abc", "-"]);
    }

    #[test]
    fn durations_end_where_the_next_step_begins() {
        assert_eq!(
            good(&tenant()).durations(),
            "  Admit        2.0 s\n  Roll         7.0 s\n"
        );
    }
}
