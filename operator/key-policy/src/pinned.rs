//! The Pinned profile: retiring a measurement binds everybody, not the enclave role alone.
//!
//! Statement 5 denies where an attestation is absent, and statement 1 lets IAM policies of the account
//! decide; so an IAM principal with any enclave could decrypt. The Deny statements here hold against
//! it. Keys under one negated operator must all differ, so each register has a statement of its own,
//! and each release one that keeps its image with its own registers.

use measurement::{Measurement, Pcr};

use crate::profile::Profile;
use crate::statement::{Condition, Effect, Match, Principals, Statement};
use crate::template::{DENIED_ACTIONS, Template, equals};
use crate::{ATTESTATION_KEY, IMAGE_SHA384, Policy};

/// Begins the Sid of a Deny for every value of a register that is not listed.
const OTHER: &str = "DenyDataOpsWithOther";
/// Begins the Sid of a Deny for one release's image with another register than its own.
const MIXED: &str = "DenyDataOpsMixed";
/// Characters of the id of an image.
const ID: usize = 10;

impl Template {
    /// The policy that admits these measurements; with none it names [`Pcr::NOBODY`] and so admits nobody.
    pub fn render(&self, live: &[Measurement]) -> Policy {
        let mut statements = self.five_statements(live);
        statements.extend(self.pinned_statements(live));
        Policy::of(statements)
    }

    /// The Deny statements of the profile Pinned for these measurements; none in Standard.
    pub(crate) fn pinned_statements(&self, live: &[Measurement]) -> Vec<Statement> {
        let mut statements = Vec::new();
        if self.profile == Profile::Standard {
            return statements;
        }
        for allowed in self.conditions(live) {
            let index = allowed
                .key
                .strip_prefix(ATTESTATION_KEY)
                .unwrap_or_default();
            let sid = format!("{OTHER}{index}");
            statements.push(deny(
                sid,
                vec![differs(allowed.key.clone(), allowed.values)],
            ));
        }
        // A second release could lend its register to the first one's image.
        if live.len() > 1 {
            for release in live {
                statements.extend(self.own_registers(release, live));
            }
        }
        statements
    }

    /// The image of a release together with another register than its own.
    fn own_registers(&self, release: &Measurement, live: &[Measurement]) -> Vec<Statement> {
        let image = release.image_sha384;
        let id = Measurement::image(release.image_sha384).id();
        let of_image = || {
            live.iter()
                .filter(|other| other.image_sha384 == release.image_sha384)
        };
        let pins = self
            .pins
            .iter()
            .filter(|index| live.iter().all(|one| one.register(**index).is_some()));
        // An image that was signed anew has a statement with the registers of both.
        let first = of_image().next() == Some(release);
        pins.filter(|_| first)
            .map(|index| {
                let own = of_image()
                    .filter_map(|one| one.register(*index))
                    .map(ToString::to_string);
                let equal = equals(IMAGE_SHA384.to_owned(), [image].into_iter());
                let other = differs(format!("{ATTESTATION_KEY}PCR{index}"), own.collect());
                deny(format!("{MIXED}{id}PCR{index}"), vec![equal, other])
            })
            .collect()
    }
}

/// Whether a statement is one of the profile's, by its Sid: all of them follow the live measurements.
pub(crate) fn is_pinned(statement: &Statement) -> bool {
    let Some(sid) = statement.sid.as_deref() else {
        return false;
    };
    if let Some(register) = sid.strip_prefix(OTHER) {
        return register == "ImageSha384" || is_register(register);
    }
    let mixed = sid.strip_prefix(MIXED);
    mixed
        .and_then(|rest| rest.split_at_checked(ID))
        .is_some_and(|(id, register)| {
            id.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_register(register)
        })
}

fn is_register(name: &str) -> bool {
    (1..=31).any(|index| name == format!("PCR{index}"))
}

/// A Deny of everybody whose attestation has this value.
pub(crate) fn deny_value(key: String, value: Pcr) -> Statement {
    Statement {
        sid: None,
        ..deny(String::new(), vec![equals(key, [value].into_iter())])
    }
}

fn differs(key: String, values: Vec<String>) -> Condition {
    Condition {
        operator: "StringNotEqualsIgnoreCase".to_owned(),
        key,
        values,
    }
}

fn deny(sid: String, conditions: Vec<Condition>) -> Statement {
    let listed = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    Statement {
        sid: Some(sid),
        effect: Effect::Deny,
        principals: Some(Match {
            negated: false,
            listed: Principals::from([("AWS".to_owned(), listed(&["*"]))]),
        }),
        actions: Some(Match {
            negated: false,
            listed: listed(&DENIED_ACTIONS),
        }),
        resources: Some(Match {
            negated: false,
            listed: listed(&["*"]),
        }),
        conditions,
    }
}
