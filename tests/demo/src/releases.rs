//! The releases that demo and tests roll between, as their images were measured.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use measurement::{Measurement, Pcr};
use serde_json::Value;

/// How a chamber's enclave is emulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A process plays it.
    #[default]
    Process,
    /// An enclave image file that QEMU boots.
    Enclave,
}

impl Form {
    /// The image's name before the tag, and the start of the names of its files.
    const fn name(self) -> &'static str {
        match self {
            Self::Process => "chamber",
            Self::Enclave => "enclave",
        }
    }
}

/// A container image and what its enclave attests.
#[derive(Clone, Debug)]
pub struct Release {
    /// `v1` or `v2`, in the demo's words.
    pub name: &'static str,
    /// The image.
    pub image: String,
    /// Of the image's measurement file: `imageSha384`, `pcr1`, `pcr2`, 96 hex characters each.
    pub measurement: Value,
    /// Public keys (PEM) of the authorities that the image measures.
    pub authorities: Vec<String>,
    /// What plays the enclave.
    pub form: Form,
}

/// All of them.
#[derive(Clone, Debug)]
pub struct Releases {
    /// The one that runs first.
    pub v1: Release,
    /// The one that is rolled out.
    pub v2: Release,
    /// One whose image measures an authority.
    pub v3: Release,
}

impl Release {
    /// From the measurement file that was written to this folder when the image was built.
    pub fn load(name: &'static str, form: Form, folder: &Path) -> Result<Self> {
        let image = format!("chamber.local/{}:{name}", form.name());
        let file = folder.join(format!("{}-{name}.measurement.json", form.name()));
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "measurement of {image}, {}: build the images first",
                file.display()
            )
        })?;
        let mut measurement: Value =
            serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        let listed = measurement
            .as_object_mut()
            .and_then(|file| file.remove("authorities"));
        let authorities = listed.context("authorities is missing")?;
        let release = Self {
            name,
            image,
            measurement,
            authorities: serde_json::from_value(authorities)?,
            form,
        };
        release
            .parsed()
            .with_context(|| file.display().to_string())?;
        Ok(release)
    }

    /// The measurement as the operator and the agent see it.
    pub fn parsed(&self) -> Result<Measurement> {
        parse(&self.measurement)
    }

    /// PCR0, hex.
    pub fn image_sha384(&self) -> &str {
        self.measurement["imageSha384"].as_str().unwrap_or_default()
    }

    /// The start of PCR0, for people.
    pub fn short(&self) -> &str {
        self.image_sha384().get(..10).unwrap_or_default()
    }
}

impl Releases {
    /// The name of the release that a value in a policy or status means: a whole or shortened PCR0, or an image.
    pub fn name_of<'a>(&'a self, found: &'a str) -> &'a str {
        let all = [&self.v1, &self.v2, &self.v3];
        let hit = all.into_iter().find(|release| {
            release.image == found
                || (found.len() >= 10 && release.image_sha384().starts_with(found))
        });
        hit.map_or(found, |release| release.name)
    }
}

/// Reads `{"imageSha384": .., "pcr1": .., ..}`.
fn parse(file: &Value) -> Result<Measurement> {
    let registers = file.as_object().context("not a JSON object")?;
    let mut parsed = None;
    let mut further = std::collections::BTreeMap::new();
    for (name, value) in registers {
        let text = value
            .as_str()
            .with_context(|| format!("{name} is no text"))?;
        let pcr = Pcr::parse(text).with_context(|| name.clone())?;
        match name.strip_prefix("pcr").map(str::parse) {
            Some(Ok(index)) => drop(further.insert(index, pcr)),
            None if name == "imageSha384" => parsed = Some(pcr),
            _ => {
                return Err(anyhow!(
                    "{name} is no register: imageSha384 and pcr1 to pcr31 are"
                ));
            }
        }
    }
    let mut measurement = Measurement::image(parsed.context("imageSha384 is missing")?);
    measurement.registers = further;
    Ok(measurement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(name: &'static str, digit: &str) -> Release {
        Release {
            name,
            image: format!("image:{name}"),
            measurement: json!({"imageSha384": digit.repeat(96), "pcr2": "e".repeat(96)}),
            authorities: Vec::new(),
            form: Form::Process,
        }
    }

    #[test]
    fn the_file_is_read_with_its_registers() {
        let measurement = release("v1", "a").parsed().unwrap();
        assert_eq!(measurement.image_sha384.to_string(), "a".repeat(96));
        assert_eq!(measurement.registers.keys().collect::<Vec<_>>(), [&2]);
    }

    #[test]
    fn a_file_without_image_is_refused_by_name() {
        let error = parse(&json!({"pcr1": "a".repeat(96)})).unwrap_err();
        assert_eq!(error.to_string(), "imageSha384 is missing");
    }

    #[test]
    fn values_are_told_by_release() {
        let releases = Releases {
            v1: release("v1", "a"),
            v2: release("v2", "b"),
            v3: release("v3", "d"),
        };
        assert_eq!(releases.name_of("bbbbbbbbbb"), "v2");
        assert_eq!(releases.name_of(&"a".repeat(96)), "v1");
        assert_eq!(releases.name_of("image:v2"), "v2");
        assert_eq!(releases.name_of("cccccccccc"), "cccccccccc");
    }
}
