//! The registers that the security module starts with.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use measurement::Pcr;
use serde_json::Value;

/// Registers that an enclave in debug mode has as zeros (seen in its documents; 3 and 4 stay).
const ZERO_IN_DEBUG: [u8; 4] = [0, 1, 2, 8];
/// Registers that the module has.
const REGISTERS: u8 = 32;

/// Registers by index.
pub type Pcrs = BTreeMap<u8, Pcr>;

/// From `0=HEX,8=HEX`, or from a file of JSON that has members `PCR0`, `PCR8` and so on, at the top or in
/// `Measurements`, as `nitro-cli` writes them.
pub fn parse(text: &str) -> Result<Pcrs> {
    if text.contains('=') {
        let pairs = text.split(',').map(|pair| {
            let (index, value) = pair
                .split_once('=')
                .with_context(|| format!("{pair:?} is not INDEX=HEX"))?;
            register(index, value)
        });
        return pairs.collect();
    }
    let file = std::fs::read(Path::new(text)).with_context(|| format!("{text} cannot be read"))?;
    let json: Value =
        serde_json::from_slice(&file).with_context(|| format!("{text} is no JSON"))?;
    let members = json.get("Measurements").unwrap_or(&json).as_object();
    let registers = members.into_iter().flatten().filter_map(|(name, value)| {
        let index = name.strip_prefix("PCR")?;
        Some(register(index, value.as_str().unwrap_or_default()))
    });
    let registers = registers.collect::<Result<Pcrs>>()?;
    if registers.is_empty() {
        bail!(
            "{text} has no member PCR0 to PCR31: give it what describes an image, or 0=HEX,1=HEX"
        );
    }
    Ok(registers)
}

/// The same registers as [`parse`] takes.
pub fn to_text(pcrs: &Pcrs) -> String {
    let pairs = pcrs.iter().map(|(index, pcr)| format!("{index}={pcr}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// The registers as an enclave in debug mode has them.
#[must_use]
pub fn in_debug_mode(mut pcrs: Pcrs) -> Pcrs {
    pcrs.extend(ZERO_IN_DEBUG.map(|index| (index, Pcr::from_bytes([0; 48]))));
    pcrs
}

fn register(index: &str, value: &str) -> Result<(u8, Pcr)> {
    let parsed = index.parse().ok().filter(|at| *at < REGISTERS);
    let index = parsed.with_context(|| format!("there is no register {index:?}: use 0 to 31"))?;
    let pcr = Pcr::parse(value).with_context(|| format!("register {index}"))?;
    Ok((index, pcr))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pcr(byte: u8) -> Pcr {
        Pcr::from_bytes([byte; 48])
    }

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let pcrs = Pcrs::from([(0, pcr(1)), (8, pcr(2)), (31, pcr(3))]);
        assert_eq!(parse(&to_text(&pcrs)).unwrap(), pcrs);
        for wrong in [
            &format!("32={}", pcr(1)),
            "0=ab",
            "x=",
            &format!("0={0},{0}", pcr(1)),
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_file_is_what_nitro_cli_says_of_an_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measurements.json");
        let read = |json: Value| {
            std::fs::write(&path, json.to_string()).unwrap();
            parse(path.to_str().unwrap())
        };
        let members =
            serde_json::json!({"HashAlgorithm": "Sha384 { ... }", "PCR0": pcr(1), "PCR8": pcr(2)});
        let expected = Pcrs::from([(0, pcr(1)), (8, pcr(2))]);
        assert_eq!(read(members.clone()).unwrap(), expected);
        let nested = serde_json::json!({"Measurements": members});
        assert_eq!(read(nested).unwrap(), expected);
        assert!(read(serde_json::json!({"PCR0": 1})).is_err());
        assert!(read(serde_json::json!([])).is_err(), "nothing in it");
    }

    #[test]
    fn debug_mode_zeroes_the_images_registers_only() {
        let pcrs = (0..16).map(|index| (index, pcr(7))).collect();
        let zero = in_debug_mode(pcrs)
            .into_iter()
            .filter(|(_, pcr)| pcr.is_zero());
        assert_eq!(
            zero.map(|(index, _)| index).collect::<Vec<_>>(),
            [0, 1, 2, 8]
        );
    }
}
