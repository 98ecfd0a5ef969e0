//! A plan as people and programs read it.

use std::fmt::Write;

use key_policy::evaluate::Decision;
use key_policy::{Access, Finding, MAX_SIZE, NOT_SHOWN, report};
use rollover::{Changes, KeyPreview, Preview, Release};
use serde_json::{Value, json};

use crate::output::{Colour, paint, printable};
use crate::policy::{change_lines, change_values, decision_value, not_shown_line};

/// The policies that a plan tells of, in order.
const STAGES: [&str; 3] = ["now", "Admit", "Retire"];

/// The plan as JSON.
pub fn value(name: &str, preview: &Preview) -> Value {
    json!({
        "name": name,
        "from": preview.from.as_ref().map(revision),
        "to": revision(&preview.to),
        "objection": preview.objection.as_ref().map(|found| json!({
            "reason": found.reason().to_string(), "message": found.to_string(),
        })),
        "manifest": preview.manifest.as_ref().map(ToString::to_string),
        "keys": preview.keys.iter().map(key_value).collect::<Vec<_>>(),
        "notShown": NOT_SHOWN,
    })
}

fn revision(release: &Release) -> Value {
    json!({ "revision": release.revision, "image": release.image,
        "imageSha384": release.measurement.image_sha384.to_string() })
}

fn key_value(key: &KeyPreview) -> Value {
    let mut value = changes_value(key);
    value["findings"] = report::json(&key.findings)["findings"].take();
    value
}

fn changes_value(key: &KeyPreview) -> Value {
    match &key.changes {
        Err(why) => {
            json!({ "name": key.name, "arn": key.arn, "managed": key.managed, "fault": why })
        }
        Ok(changes) => json!({
            "name": key.name, "arn": key.arn, "managed": key.managed,
            "takesOver": changes.takes_over,
            "bytes": { "now": changes.sizes[0], "admit": changes.sizes[1], "retire": changes.sizes[2], "limit": MAX_SIZE },
            "admit": change_values(&changes.admit),
            "retire": change_values(&changes.retire),
            "access": changes.access.iter().map(access_value).collect::<Vec<_>>(),
        }),
    }
}

/// The answer at each stage: `{answer, statement, dependsOn}`.
fn access_value(row: &Access) -> Value {
    let answer = |index: usize| row.by.get(index).map(decision_value);
    json!({ "principal": row.principal, "action": row.action, "attested": row.attested,
        "now": answer(0), "admit": answer(1), "retire": answer(2) })
}

/// The plan for people.
pub fn draw(name: &str, preview: &Preview) -> String {
    let mut text = String::new();
    let image = |release: &Release| {
        let image = release.measurement.image_sha384.to_string();
        image.chars().take(10).collect::<String>()
    };
    let to = image(&preview.to);
    let headline = match &preview.from {
        Some(from) if from.revision == preview.to.revision => format!("stays on {to}"),
        Some(from) => format!("{} -> {to}", image(from)),
        None => format!("the first start of {to}"),
    };
    let _ = writeln!(text, "{name}  plan: {headline}");
    if let Some(found) = &preview.objection {
        let _ = writeln!(
            text,
            "  {}: {}",
            paint(Colour::Red, found.reason()),
            printable(&found.to_string())
        );
    }
    if let Some(change) = &preview.manifest {
        let _ = writeln!(text, "  {}", paint(Colour::Yellow, change));
    }
    for key in &preview.keys {
        draw_key(&mut text, key);
    }
    draw_access(&mut text, &preview.keys);
    text.push_str(&not_shown_line(&NOT_SHOWN));
    text
}

fn draw_key(text: &mut String, key: &KeyPreview) {
    let whose = if key.managed {
        ""
    } else {
        ", its holder writes"
    };
    let _ = writeln!(text, "key {} ({}){whose}", key.name, key.arn);
    for finding in &key.findings {
        let Finding { severity, rule, .. } = finding;
        let told = format!("{severity} {rule}: {}. {}", finding.message, finding.cure);
        let _ = writeln!(text, "  {}", paint(Colour::Yellow, printable(&told)));
    }
    let changes = match &key.changes {
        Ok(changes) => changes,
        Err(why) => {
            let _ = writeln!(text, "  {}", paint(Colour::Red, printable(why)));
            return;
        }
    };
    if changes.takes_over {
        let told =
            "its policy is somebody else's: it is written only with spec.keys.policy.adopt: true";
        let _ = writeln!(text, "  {}", paint(Colour::Yellow, told));
    }
    let [now, admit, retire] = changes.sizes;
    let _ = writeln!(text, "  {now} -> {admit} -> {retire} of {MAX_SIZE} bytes");
    for (step, changes) in [("Admit", &changes.admit), ("Retire", &changes.retire)] {
        if changes.is_empty() {
            let _ = writeln!(text, "  {step} changes nothing");
            continue;
        }
        let _ = writeln!(text, "  {step}");
        for line in change_lines(changes).lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
}

/// Keys with one table share it: mostly it is the same for all.
fn draw_access(text: &mut String, keys: &[KeyPreview]) {
    let mut tables: Vec<(Vec<&str>, &Changes)> = Vec::new();
    for key in keys {
        let Ok(changes) = &key.changes else { continue };
        match tables
            .iter_mut()
            .find(|(_, other)| other.access == changes.access)
        {
            Some((names, _)) => names.push(&key.name),
            None => tables.push((vec![&key.name], changes)),
        }
    }
    for (names, changes) in tables {
        let _ = writeln!(text, "who may use key {}", names.join(", "));
        let mut rows = vec![
            [
                "principal",
                "action",
                "attested",
                STAGES[0],
                STAGES[1],
                STAGES[2],
            ]
            .map(str::to_owned),
        ];
        rows.extend(changes.access.iter().map(cells));
        let widths = widths(&rows);
        for (index, row) in rows.iter().enumerate() {
            let padded = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            let line = padded.collect::<Vec<_>>().join("  ").trim_end().to_owned();
            let changes = index > 0 && changes.access[index - 1].changes();
            let line = if changes {
                paint(Colour::Yellow, format!("* {line}"))
            } else {
                format!("  {line}")
            };
            let _ = writeln!(text, "{line}");
        }
    }
}

fn cells(row: &Access) -> [String; 6] {
    let answer = |index: usize| {
        match row.by.get(index) {
            Some(Decision::Allowed { .. }) => "allowed",
            Some(Decision::Depends { .. }) => "depends",
            _ => "-",
        }
        .to_owned()
    };
    [
        printable(&row.principal),
        row.action.to_owned(),
        row.attested.clone(),
        answer(0),
        answer(1),
        answer(2),
    ]
}

fn widths(rows: &[[String; 6]]) -> [usize; 6] {
    std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::observe::key;
    use super::*;
    use chamber_resource::spec::Uids;
    use jiff::{SignedDuration, Timestamp};
    use rollover::{KeyState, Reading, World};

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/plan.txt");

    fn preview() -> Preview {
        preview_of(None)
    }

    /// Settled on 01, wants 02; a third key is as AWS made it, and taken over. KMS says this of each key beside its policy.
    fn preview_of(described: Option<&key_policy::KeyFacts>) -> Preview {
        let measurement = |byte: &str| json!({"imageSha384": byte.repeat(48)});
        let share = |name: &str, management: &str| {
            json!({"name": name, "arn": format!("arn:aws:kms:us-east-1:111122223333:key/{name}"), "management": management,
                "assumeRoleArn": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"})
        };
        let cluster = json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer", "namespace": "signing"},
            "spec": {
                "clusterId": "test",
                "release": {"image": "chamber:2", "measurement": measurement("02")},
                "keys": {"threshold": 2, "policy": {"profile": "Pinned", "adopt": true},
                    "shares": [share("a", "Managed"), share("b", "Observed"), share("c", "Managed")]},
                "verification": {"prometheus": {"url": "http://prometheus:9090"}},
            },
            "status": {"current": {"image": "chamber:1", "measurement": measurement("01"), "revision": "aaaa"}, "rollovers": 1},
        });
        let cluster: chamber_api::ChamberCluster = serde_json::from_value(cluster).unwrap();
        let spec =
            chamber_resource::spec::checked(&cluster, &Uids::default(), SignedDuration::ZERO)
                .unwrap();
        let record = chamber_resource::persisted_state::read(cluster.status.as_ref().unwrap());
        let now: Timestamp = "2026-11-01T10:00:00Z".parse().unwrap();
        let current = record.current.clone().unwrap().measurement;
        let default = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}"#;
        let keys = spec.shares.iter().map(|share| {
            let policy = match share.name.as_str() {
                "c" => key_policy::Policy::parse(default).unwrap(),
                _ => share.template.render(std::slice::from_ref(&current)),
            };
            let tags = [(rollover::tags::OWNER.to_owned(), spec.owner.tag())];
            let mut reading = key(now, KeyState::Enabled, Ok(policy), tags.into());
            if let Reading::Facts(facts) = &mut reading {
                std::sync::Arc::make_mut(facts).described = described.cloned();
            }
            (share.arn.clone(), reading)
        });
        let keys = keys.collect();
        rollover::preview(&World::of_keys(now, spec, record, keys))
    }

    #[test]
    fn it_tells_what_changes_on_each_key_and_who_may_then_do_what() {
        let drawn = draw("signer", &preview());
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(GOLDEN, &drawn).unwrap();
        }
        assert_eq!(drawn, std::fs::read_to_string(GOLDEN).unwrap_or_default());
    }

    #[test]
    fn what_speaks_against_a_key_beside_its_policy_is_no_objection() {
        let described = key_policy::KeyFacts {
            multi_region: true,
            origin: "AWS_KMS".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            state: "Enabled".into(),
            lists: key_policy::KeyLists {
                unread: vec![key_policy::Unread {
                    permission: "kms:ListGrants",
                    code: "AccessDeniedException".into(),
                }],
                ..key_policy::KeyLists::default()
            },
        };
        let preview = preview_of(Some(&described));
        assert_eq!(preview.objection, None);
        let drawn = draw("signer", &preview);
        for told in [
            "key a (arn:aws:kms:us-east-1:111122223333:key/a)\n  warning multi-region: the key is a multi-Region key",
            "  note facts-not-read: kms:ListGrants on the key fails with AccessDeniedException: its grants were not looked for. Allow kms:ListGrants to the role that reads the key\n",
        ] {
            assert!(drawn.contains(told), "{told}: {drawn}");
        }
        let told = value("signer", &preview);
        assert_eq!(told["keys"][0]["findings"][0]["rule"], "multi-region");
        assert_eq!(told["keys"][1]["findings"][1]["severity"], "note");
        assert_eq!(told["keys"][0]["takesOver"], false);
    }

    #[test]
    fn programs_read_the_statement_that_decides_at_each_stage() {
        let told = value("signer", &preview());
        let access = told["keys"][0]["access"].as_array().unwrap();
        let decrypt = |attested: &str| {
            access
                .iter()
                .find(|row| row["action"] == "kms:Decrypt" && row["attested"] == attested)
                .unwrap()
        };
        let allows = "AllowChamberEnclaveDecryptWithAttestation";
        assert_eq!(decrypt("0202020202")["now"]["answer"], "denied");
        assert_eq!(decrypt("0202020202")["retire"]["answer"], "allowed");
        assert_eq!(decrypt("0202020202")["retire"]["statement"], allows);
        assert_eq!(decrypt("0101010101")["retire"]["answer"], "denied");
        assert_eq!(told["keys"][2]["takesOver"], true);
        assert_eq!(told["objection"], Value::Null);
        assert_eq!(told["notShown"][5], "grants");
    }
}
