//! A sealed blob: read and opened.

use attestation::Root;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chamber_api::ChamberCluster;
use measurement::Measurement;
use sealed_blob::{InnerBlob, MAX_BYTES, open};

use crate::cluster;
use crate::input;
use crate::output::Failure;

/// Base64 of base64, with line ends: as `kubectl get secret -o jsonpath={.data.blob}` prints it.
const MOST: u64 = 2 * MAX_BYTES as u64 + 4096;
const ROOT: u64 = 64 * 1024;

/// Reads a blob from a file and opens it.
pub fn read(name: &str, bound_to: &[Measurement]) -> Result<InnerBlob, Failure> {
    inner(name, input::text(name, MOST)?.as_bytes(), bound_to)
}

/// Opens a blob with the first measurement that it is bound to.
pub fn inner(name: &str, text: &[u8], bound_to: &[Measurement]) -> Result<InnerBlob, Failure> {
    opened(name, text, bound_to).map(|(inner, _)| inner)
}

/// The same, with that measurement.
pub fn opened(
    name: &str,
    text: &[u8],
    bound_to: &[Measurement],
) -> Result<(InnerBlob, Measurement), Failure> {
    let bytes = decoded(text).ok_or_else(|| {
        Failure::read(
            name,
            &"is no sealed blob: expected base64, as in the key `blob` of its Secret",
        )
    })?;
    let mut refusal = None;
    for measurement in bound_to {
        match open(&bytes, |index| measurement.register(index).copied()) {
            Ok(inner) => return Ok((inner, measurement.clone())),
            Err(why) => refusal = Some(why),
        }
    }
    let refusal = refusal.map_or_else(String::new, |why| why.to_string());
    Err(Failure::read(name, &refusal))
}

/// A Secret's value is base64, and so is everything in `kubectl get secret -o yaml`: once or twice.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let once = |text: &[u8]| {
        let lines = text.iter().filter(|byte| !byte.is_ascii_whitespace());
        BASE64.decode(lines.copied().collect::<Vec<_>>()).ok()
    };
    let first = once(text)?;
    if first.starts_with(b"CHSB") {
        return Some(first);
    }
    once(&first).filter(|second| second.starts_with(b"CHSB"))
}

/// What the blob may be bound to: what the flag says, or what the resource does.
pub fn bound_to(
    flag: Option<&str>,
    cluster: Option<&ChamberCluster>,
) -> Result<Vec<Measurement>, Failure> {
    match (flag, cluster) {
        (Some(text), _) => Ok(vec![input::measurement(text)?]),
        (None, Some(cluster)) => cluster::measurements(cluster),
        (None, None) => Err(Failure::Usage(
            "--measurement is missing: the file has no ChamberCluster that says what the blob is bound to".to_owned(),
        )),
    }
}

/// The root that sealing documents chain to.
pub fn root(file: Option<&str>) -> Result<Root, Failure> {
    let Some(file) = file else {
        return Ok(Root::aws());
    };
    let text = input::text(file, ROOT)?;
    Root::from_pem(&text).map_err(|why| Failure::read(file, &why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_base64_once_or_twice_and_nothing_else() {
        let once = BASE64.encode(b"CHSB and more");
        let twice = BASE64.encode(&once);
        for text in [&once, &twice, &format!("{}\n{}\n", &once[..4], &once[4..])] {
            assert_eq!(
                decoded(text.as_bytes()).as_deref(),
                Some(&b"CHSB and more"[..])
            );
        }
        for text in ["", "?", &BASE64.encode(b"other"), "CHSB"] {
            assert_eq!(decoded(text.as_bytes()), None, "{text}");
        }
    }
}
