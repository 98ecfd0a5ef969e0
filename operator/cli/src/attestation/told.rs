//! What is told of a document, for people and as JSON.

use std::fmt::Write;

use attestation::{Claims, ClaimsError, Root, Verified};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::output::{Colour, paint, printable};

/// Bytes that people are shown of a member.
const SHOWN: usize = 32;

/// A judgement: what is not verified is not told, beside the reason.
pub struct Told<'a> {
    pub at: Timestamp,
    pub root: &'a Root,
    /// None where signature or certificates are not right.
    pub verified: Option<&'a Verified>,
    /// Why it is not verified, or does not fulfil what was asked.
    pub reason: Option<&'a str>,
}

impl Told<'_> {
    /// `{verified, reason, at, root}`, and what the document says where its signature is right.
    pub fn value(&self) -> Value {
        let mut value = json!({
            "verified": self.reason.is_none(),
            "reason": self.reason,
            "at": self.at.to_string(),
            "root": hex::encode(self.root.fingerprint()),
        });
        let Some(verified) = self.verified else {
            return value;
        };
        let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(hex::encode);
        let registers = verified.pcrs.iter();
        let registers: Map<_, _> = registers
            .map(|(index, pcr)| (format!("PCR{index}"), json!(pcr.to_string())))
            .collect();
        value["debug"] = json!(verified.debug());
        value["moduleId"] = json!(verified.module_id);
        value["instance"] = json!(verified.instance());
        value["timestamp"] = json!(signed_at(verified));
        value["registers"] = registers.into();
        value["publicKey"] = json!(bytes(&verified.public_key));
        value["userData"] = json!(bytes(&verified.user_data));
        value["nonce"] = json!(bytes(&verified.nonce));
        value["claims"] = Value::Null;
        match claims(verified) {
            Some(Ok(claims)) => value["claims"] = claims_value(&claims),
            Some(Err(why)) => value["claimsError"] = json!(why.to_string()),
            None => {}
        }
        value
    }

    /// The judgement, and a line for each thing that the document says.
    pub fn human(&self) -> String {
        let mut text = match self.reason {
            None => format!(
                "{} at {}, root {}\n",
                paint(Colour::Green, "verified"),
                self.at,
                hex::encode(self.root.fingerprint())
            ),
            Some(why) => format!("{}: {why}\n", paint(Colour::Red, "not verified")),
        };
        if let Some(verified) = self.verified {
            for (name, value) in lines(verified) {
                let _ = writeln!(text, "{name:<13} {value}");
            }
        }
        text
    }
}

fn lines(verified: &Verified) -> Vec<(String, String)> {
    let mut lines = vec![
        ("module".to_owned(), printable(&verified.module_id)),
        ("signed".to_owned(), signed_at(verified)),
    ];
    if verified.debug() {
        let what = paint(Colour::Yellow, "debug: PCR0 is zero, so it proves no image");
        lines.push(("mode".to_owned(), what));
    } else {
        lines.push(("mode".to_owned(), "production".to_owned()));
    }
    let set = verified.pcrs.iter().filter(|(_, pcr)| !pcr.is_zero());
    lines.extend(set.map(|(index, pcr)| (format!("PCR{index}"), pcr.to_string())));
    for (name, bytes) in [
        ("public key", &verified.public_key),
        ("user data", &verified.user_data),
        ("nonce", &verified.nonce),
    ] {
        lines.push((name.to_owned(), excerpt(bytes.as_deref())));
    }
    match claims(verified) {
        Some(Ok(claims)) => lines.extend(claims_lines(&claims)),
        Some(Err(why)) => lines.push(("claims".to_owned(), why.to_string())),
        None => {}
    }
    lines
}

/// Hex, cut where it is long.
fn excerpt(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "none".to_owned();
    };
    match bytes.split_at_checked(SHOWN) {
        Some((head, rest)) if !rest.is_empty() => {
            format!("{}... ({} bytes)", hex::encode(head), bytes.len())
        }
        _ => format!("{} ({} bytes)", hex::encode(bytes), bytes.len()),
    }
}

/// RFC 3339 with milliseconds, as the module signed it.
fn signed_at(verified: &Verified) -> String {
    let time = Timestamp::from_millisecond(verified.timestamp_ms);
    time.map_or_else(
        |_| format!("{} ms after 1970", verified.timestamp_ms),
        |time| format!("{time:.3}"),
    )
}

/// What `user_data` says, where it is ours.
fn claims(verified: &Verified) -> Option<Result<Claims, ClaimsError>> {
    match Claims::decode(verified.user_data.as_deref()?) {
        Err(ClaimsError::NotOurs) => None,
        claims => Some(claims),
    }
}

/// `{purpose, ...}`; digests in hex, null where there is none.
fn claims_value(claims: &Claims) -> Value {
    match claims {
        Claims::Seal { core } => json!({ "purpose": "seal", "core": hex::encode(core) }),
        Claims::Rewrap { core } => json!({ "purpose": "rewrap", "core": hex::encode(core) }),
        Claims::Probe { subject } => json!({ "purpose": "probe", "subject": hex::encode(subject) }),
        Claims::Gate(gate) => json!({
            "purpose": "gate",
            "clusterId": gate.cluster_id,
            "blob": hex::encode(gate.blob),
            "commitment": gate.unsealed.then(|| hex::encode(gate.commitment)),
            "manifest": gate.manifest.map(hex::encode),
            "unsealed": gate.unsealed,
            "opened": gate.opened,
        }),
    }
}

/// The same for people: a line for each member.
fn claims_lines(claims: &Claims) -> Vec<(String, String)> {
    let none = || "none".to_owned();
    let (purpose, members) = match claims {
        Claims::Seal { core } => ("seal", vec![("core", hex::encode(core))]),
        Claims::Rewrap { core } => ("rewrap", vec![("core", hex::encode(core))]),
        Claims::Probe { subject } => ("probe", vec![("subject", hex::encode(subject))]),
        Claims::Gate(gate) => {
            let commitment = gate.unsealed.then(|| hex::encode(gate.commitment));
            let opened: Vec<_> = gate.opened.iter().map(u8::to_string).collect();
            let opened = Some(opened.join(", ")).filter(|list| !list.is_empty());
            let state = if gate.unsealed { "unsealed" } else { "sealed" };
            let members = vec![
                ("cluster", gate.cluster_id.clone()),
                ("state", state.to_owned()),
                ("opened", opened.unwrap_or_else(none)),
                ("blob", hex::encode(gate.blob)),
                ("commitment", commitment.unwrap_or_else(none)),
                ("manifest", gate.manifest.map_or_else(none, hex::encode)),
            ];
            ("gate", members)
        }
    };
    let members = members.into_iter();
    let members = members.map(|(name, value)| (format!("  {name}"), value));
    std::iter::once(("claims".to_owned(), purpose.to_owned()))
        .chain(members)
        .collect()
}
