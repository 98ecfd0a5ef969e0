//! One picture of a rollover: step, keys, chambers, what it waits for.

use std::fmt::Write;

use chamber_api::{ChamberCluster, ChamberClusterStatus, KeyStatus, conditions};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::output::{Colour, paint, printable};

/// The five steps, in order.
const STEPS: [&str; 5] = ["Measure", "Admit", "Roll", "Verify", "Retire"];
/// Ended rollovers that are shown.
const HISTORY: usize = 3;

/// Whether a person has to do something.
pub fn stalled(cluster: &ChamberCluster) -> bool {
    let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
    let mut stalled = conditions.filter(|condition| condition.type_ == conditions::STALLED);
    stalled.any(|condition| condition.status == "True")
}

/// The picture, at this time.
pub fn draw(cluster: &ChamberCluster, now: Timestamp) -> String {
    let mut text = String::new();
    let none = ChamberClusterStatus::default();
    let status = cluster.status.as_ref().unwrap_or(&none);
    let _ = writeln!(text, "{}  {}", cluster.name_any(), headline(status, now));
    if status.observed_generation < cluster.metadata.generation {
        let late = "the operator has not looked at the last change of the spec yet: is it running?";
        let _ = writeln!(text, "  {}", paint(Colour::Yellow, late));
    }
    let step = status.step.as_deref().unwrap_or("");
    if STEPS.contains(&step) {
        let _ = writeln!(text, "  {}", steps(step));
    }
    if let Some(reason) = &status.reason {
        let colour = if stalled(cluster) {
            Colour::Red
        } else {
            Colour::Yellow
        };
        let message = printable(status.message.as_deref().unwrap_or(""));
        let _ = writeln!(text, "  {}: {message}", paint(colour, reason));
    }
    keys(&mut text, &status.keys);
    chambers(&mut text, status, now);
    history(&mut text, status, now);
    if !status.revoked.is_empty() {
        let _ = writeln!(text, "revoked\n  {}", status.revoked.join("\n  "));
    }
    if let Some(answer) = &status.verbs.answer {
        let _ = writeln!(text, "last verb\n  {}", printable(answer));
    }
    text
}

fn headline(status: &ChamberClusterStatus, now: Timestamp) -> String {
    let release = status.release.as_deref().unwrap_or("not yet looked at");
    match &status.rollover {
        Some(rollover) => format!("rolls {release}, for {}", age(&rollover.started_at, now)),
        None if status.step.as_deref() == Some("Settled") => format!("settled on {release}"),
        None => release.to_owned(),
    }
}

fn steps(at: &str) -> String {
    let position = STEPS.iter().position(|step| *step == at);
    let told = STEPS.iter().enumerate().map(|(index, step)| {
        match position.map(|position| index.cmp(&position)) {
            Some(std::cmp::Ordering::Less) => paint(Colour::Green, format!("{step} done")),
            Some(std::cmp::Ordering::Equal) => paint(Colour::Yellow, format!("[{step}]")),
            _ => paint(Colour::Dim, step),
        }
    });
    told.collect::<Vec<_>>().join(" > ")
}

fn keys(text: &mut String, keys: &[KeyStatus]) {
    if keys.is_empty() {
        return;
    }
    let _ = writeln!(text, "keys");
    for key in keys {
        let sync = if key.in_sync {
            paint(Colour::Green, "in sync")
        } else {
            paint(Colour::Yellow, "not in sync")
        };
        let admits = if key.admitted.is_empty() {
            "nothing".to_owned()
        } else {
            key.admitted.join(" ")
        };
        let _ = writeln!(
            text,
            "  {:<12} {:<16} admits {admits}, {sync}",
            key.name, key.state
        );
        if let Some(asked) = &key.asked {
            let _ = writeln!(text, "    its holder is asked {asked}");
        }
        for finding in &key.findings {
            let _ = writeln!(text, "    {}", paint(Colour::Yellow, printable(finding)));
        }
    }
}

fn chambers(text: &mut String, status: &ChamberClusterStatus, now: Timestamp) {
    if status.chambers.is_empty() {
        return;
    }
    let ready = status.chambers_ready.as_deref().unwrap_or("?");
    let _ = writeln!(text, "chambers ({ready} unsealed)");
    for chamber in &status.chambers {
        let state = match &chamber.unsealed_since {
            Some(since) => format!("unsealed for {}", age(since, now)),
            None => paint(Colour::Yellow, "sealed"),
        };
        let attested = match &chamber.attested {
            Some(since) => format!(", attested {} ago", age(since, now)),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "  {:<32} release {}, {state}{attested}",
            chamber.pod, chamber.revision
        );
    }
}

fn history(text: &mut String, status: &ChamberClusterStatus, now: Timestamp) {
    if status.history.is_empty() {
        return;
    }
    let _ = writeln!(text, "rollovers");
    for ended in status.history.iter().take(HISTORY) {
        let outcome = words(&ended.outcome);
        let from = ended.from.as_deref().unwrap_or("nothing");
        let _ = writeln!(
            text,
            "  {from} -> {}: {outcome}, {} ago",
            ended.to,
            age(&ended.ended_at, now)
        );
    }
}

/// `turned back` for `TurnedBack`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The largest unit alone: a picture that changes each second tells nothing.
fn age(since: &Time, now: Timestamp) -> String {
    let seconds = now.duration_since(since.0).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cluster() -> ChamberCluster {
        let measurement = json!({"imageSha384": "01".repeat(48)});
        let release = |revision: &str| json!({"image": "chamber:1", "measurement": measurement, "revision": revision});
        serde_json::from_value(json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer"},
            "spec": {
                "clusterId": "c",
                "release": {"image": "chamber:1", "measurement": measurement},
                "keys": {"threshold": 1, "shares": []},
                "verification": {"prometheus": {"url": "http://prometheus:9090"}},
            },
            "status": {
                "step": "Roll", "reason": "ChamberSealed", "message": "waiting for signer-b-1",
                "release": "aaaa->bbbb", "chambersReady": "1/2",
                "rollover": {
                    "from": release("aaaa"), "to": release("bbbb"),
                    "startedAt": "2026-11-01T10:00:00Z", "progressedAt": "2026-11-01T10:00:00Z",
                },
                "keys": [
                    {"name": "a", "arn": "arn", "state": "Enabled", "admitted": ["0101010101", "0202020202"], "inSync": true,
                        "findings": ["multi-region: \u{1b}[1mthe key is a multi-Region key"]},
                    {"name": "b", "arn": "arn", "state": "Enabled", "inSync": false, "asked": "to admit, set the policy that `kubectl chamber plan signer -n n --document b` prints"},
                ],
                "chambers": [
                    {"pod": "signer-aaaa-1", "revision": "aaaa", "unsealedSince": "2026-11-01T08:00:00Z",
                        "attested": "2026-11-01T08:02:05Z"},
                    {"pod": "signer-bbbb-1", "revision": "bbbb"},
                ],
                "history": [{
                    "to": "aaaa", "outcome": "Complete",
                    "startedAt": "2026-10-30T10:00:00Z", "endedAt": "2026-10-30T10:01:00Z",
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn it_tells_step_wait_keys_chambers_and_history() {
        let now = "2026-11-01T10:02:05Z".parse().unwrap();
        let expected = "\
signer  rolls aaaa->bbbb, for 2m
  Measure done > Admit done > [Roll] > Verify > Retire
  ChamberSealed: waiting for signer-b-1
keys
  a            Enabled          admits 0101010101 0202020202, in sync
    multi-region: \u{fffd}[1mthe key is a multi-Region key
  b            Enabled          admits nothing, not in sync
    its holder is asked to admit, set the policy that `kubectl chamber plan signer -n n --document b` prints
chambers (1/2 unsealed)
  signer-aaaa-1                    release aaaa, unsealed for 2h, attested 2h ago
  signer-bbbb-1                    release bbbb, sealed
rollovers
  nothing -> aaaa: complete, 2d ago
";
        assert_eq!(draw(&cluster(), now), expected);
    }

    #[test]
    fn it_says_who_has_not_looked_and_prints_no_control_characters() {
        let mut cluster = cluster();
        cluster.metadata.generation = Some(2);
        let status = cluster.status.as_mut().unwrap();
        (status.observed_generation, status.rollover) = (Some(1), None);
        status.step = Some("Measure".into());
        status.message = Some("\u{1b}[2Jgone".into());
        status.revoked = vec!["ab".into()];
        let drawn = draw(&cluster, "2026-11-01T10:02:05Z".parse().unwrap());
        assert!(
            !drawn.contains("settled") && !drawn.contains('\u{1b}'),
            "{drawn}"
        );
        for told in [
            "is it running?",
            "[Measure] > Admit",
            "[2Jgone",
            "revoked\n  ab\n",
        ] {
            assert!(drawn.contains(told), "{told}: {drawn}");
        }
    }

    #[test]
    fn only_the_condition_stalled_calls_a_person() {
        let mut stopped = cluster();
        assert!(!stalled(&stopped));
        let condition = json!({"type": "Stalled", "status": "True", "reason": "KeyNotEnabled",
            "message": "", "lastTransitionTime": "2026-11-01T10:00:00Z"});
        stopped.status.as_mut().unwrap().conditions =
            vec![serde_json::from_value(condition).unwrap()];
        assert!(stalled(&stopped));
    }
}
