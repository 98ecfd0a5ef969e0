//! `attestation`: documents, from files and from chambers, verified on this machine.

mod told;

use std::io::Read;

use attestation::{At, Root, Verified};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;

use crate::arguments::{Asked, AttestationVerb, Nonce, Output};
use crate::cluster;
use crate::input;
use crate::output::{self, Answer, Exit, Failure};
use crate::text;
use told::Told;

/// Bytes that are read: a document as base64 in UTF-16, with room for line breaks.
const MOST: u64 = 4 * attestation::MAX_BYTES as u64;
/// Bytes that are read of a root.
const MOST_OF_ROOT: u64 = 65_536;
/// Bytes of the nonce that a chamber is asked with.
const NONCE: usize = 32;
/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Does what was asked.
pub fn run(verb: &AttestationVerb) -> Result<Answer, Failure> {
    match verb {
        AttestationVerb::Verify {
            file,
            asked,
            output,
        } => {
            let bytes = document(read(file, MOST)?);
            verify(file, &bytes, asked, *output)
        }
        AttestationVerb::Get {
            pod,
            root,
            require_production,
            save,
            connection,
            output,
        } => {
            let mut nonce = vec![0; NONCE];
            aws_lc_rs::rand::fill(&mut nonce)
                .map_err(|_| Failure::read(pod, &"no random bytes"))?;
            let bytes = cluster::document(connection, pod, &nonce)?;
            if let Some(file) = save {
                let name = file.display().to_string();
                std::fs::write(file, &bytes).map_err(|why| Failure::read(&name, &why))?;
            }
            let asked = Asked {
                at: None,
                root: root.clone(),
                nonce: Some(Nonce(nonce)),
                require_production: *require_production,
            };
            verify(pod, &bytes, &asked, *output)
        }
    }
}

/// Answers: exit status 0 verified, 1 not.
fn verify(file: &str, bytes: &[u8], asked: &Asked, output: Output) -> Result<Answer, Failure> {
    let root = root(asked.root.as_deref())?;
    let at = asked.at.unwrap_or_else(Timestamp::now);
    let (verified, reason) = match attestation::verify(bytes, &root, At::Time(at.as_millisecond()))
    {
        Ok(verified) => {
            let reason = unmet(&verified, asked);
            (Some(verified), reason)
        }
        Err(why) if why.is_malformed() => {
            let why = format!("{why}; give the document as raw CBOR or as base64");
            return Err(Failure::read(file, &why));
        }
        Err(why) => (None, Some(why.to_string())),
    };
    let exit = Exit::of(reason.is_none());
    let told = Told {
        at,
        root: &root,
        verified: verified.as_ref(),
        reason: reason.as_deref(),
    };
    Ok(Answer {
        text: output::form(&told.value(), output, || told.human())?,
        exit,
    })
}

/// What is asked of the document beside its signature, and is not so.
fn unmet(verified: &Verified, asked: &Asked) -> Option<String> {
    if asked.require_production && verified.debug() {
        let why =
            "debug mode: PCR0 is zero, so the document proves no image (--require-production)";
        return Some(why.to_owned());
    }
    let wanted = &asked.nonce.as_ref()?.0;
    match &verified.nonce {
        Some(found) if found == wanted => None,
        Some(found) => Some(format!(
            "nonce: the document has {}, --nonce says {}",
            hex::encode(found),
            hex::encode(wanted)
        )),
        None => Some("nonce: the document has none, --nonce says one".to_owned()),
    }
}

fn root(file: Option<&str>) -> Result<Root, Failure> {
    let Some(file) = file else {
        return Ok(Root::aws());
    };
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("--root {file}: {why}"));
    let bytes = read(file, MOST_OF_ROOT)?;
    let text = text::decoded(&bytes).map_err(|why| wrong(&why))?;
    Root::from_pem(&text).map_err(|why| wrong(&why))
}

/// The document as it is, or out of its base64; no document is text, as the first byte is none of ASCII's.
fn document(bytes: Vec<u8>) -> Vec<u8> {
    let text = text::decoded(&bytes).unwrap_or_default();
    let text: String = text.split_ascii_whitespace().collect();
    match BASE64.decode(text) {
        Ok(document) if !document.is_empty() => document,
        _ => bytes,
    }
}

/// Reads a whole file, and refuses one that is longer than what it should be.
fn read(file: &str, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    input::open(file)?
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| Failure::read(file, &why))?;
    if bytes.len() as u64 > most {
        return Err(Failure::read(file, &format!("has more than {most} bytes")));
    }
    Ok(bytes)
}
