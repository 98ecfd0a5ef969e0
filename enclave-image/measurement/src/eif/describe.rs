//! The JSON that `nitro-cli describe-eif` prints.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Description;
use crate::Measurement;

impl Description {
    /// The measurement of a release with this image: PCR0, and PCR8 where it is signed.
    pub fn measurement(&self) -> Measurement {
        Measurement {
            image_sha384: self.pcr0,
            registers: self
                .pcr8
                .map(|pcr| (8, pcr))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        }
    }

    /// As nitro-cli prints it, without what it says of the signer's certificate, and with what the measured files say.
    ///
    /// `Authorities` and `InitSha256` are null where `FilesUnknown` says why that cannot be told.
    pub fn to_json(&self) -> Value {
        let mut measurements = json!({
            "HashAlgorithm": "Sha384 { ... }",
            "PCR0": self.pcr0,
            "PCR1": self.pcr1,
            "PCR2": self.pcr2,
        });
        if let Some(pcr8) = self.pcr8 {
            measurements["PCR8"] = json!(pcr8);
        }
        let mut metadata = Map::new();
        if let Some(Value::Object(build)) = self.metadata.get("BuildMetadata") {
            metadata.extend(build.clone());
        }
        for name in ["DockerInfo", "CustomMetadata"] {
            if let Some(value) = self.metadata.get(name) {
                metadata.insert(name.to_owned(), value.clone());
            }
        }
        let of = |name: &str| self.metadata.get(name).cloned().unwrap_or(Value::Null);
        let mut json = json!({
            "EifVersion": self.version,
            "Measurements": measurements,
            "IsSigned": self.pcr8.is_some(),
            "CheckCRC": self.crc_matches,
            "ImageName": of("ImageName"),
            "ImageVersion": of("ImageVersion"),
            "Metadata": metadata,
            "Authorities": null,
            "InitSha256": null,
        });
        match &self.files {
            Ok(files) => {
                let authorities = files.authorities.iter().map(hex::encode);
                json["Authorities"] = authorities.collect();
                json["InitSha256"] = json!(files.init_sha256.map(hex::encode));
            }
            Err(error) => json["FilesUnknown"] = json!(error.to_string()),
        }
        json
    }
}
