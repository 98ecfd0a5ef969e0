//! Releases: from the spec, from status, from a `ReplicaSet`'s annotation, and what names them.

use std::collections::BTreeMap;

use chamber_api::{ChamberClusterSpec, MeasurementSpec, ReleaseStatus};
use cluster_manifest::Kind;
use measurement::{MANIFEST_REGISTER, Measurement, Pcr};
use rollover::{FIRST_GENERATION, Reason, Release};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Fault;

/// Why the reserved value is refused; reads on after the field.
const NOBODY: &str = "is 96 x f, which no image has: it stands in policies that admit nobody";

/// The measurement that a spec or status names, or the field that is wrong.
pub fn measurement(spec: &MeasurementSpec, field: &str) -> Result<Measurement, Fault> {
    let malformed = |name: &str, why: &dyn std::fmt::Display| Fault {
        reason: Reason::MalformedMeasurement,
        message: format!(
            "{field}.{name} {why}. Use what `nitro-cli describe-eif` prints for the release"
        ),
    };
    let image = Pcr::parse(&spec.image_sha384).map_err(|why| malformed("imageSha384", &why))?;
    if image.is_zero() {
        return Err(Fault {
            reason: Reason::ZeroMeasurement,
            message: format!(
                "{field}.imageSha384 is all zeros: that is any enclave in debug mode. Use what `nitro-cli describe-eif` prints for the release"
            ),
        });
    }
    if image.is_nobody() {
        return Err(malformed("imageSha384", &NOBODY));
    }
    let mut registers = BTreeMap::new();
    for (name, text) in &spec.registers {
        let index =
            register(name).ok_or_else(|| malformed(name, &"is no register (pcr1 to pcr31)"))?;
        let pcr = Pcr::parse(text).map_err(|why| malformed(name, &why))?;
        if pcr.is_nobody() {
            return Err(malformed(name, &NOBODY));
        }
        if pcr.is_zero() {
            return Err(Fault {
                reason: Reason::ZeroMeasurement,
                message: format!(
                    "{field}.{name} is all zeros, which binds nothing: enclaves in debug mode and unsigned images attest it. Leave it out, or use what `nitro-cli describe-eif` prints for the release"
                ),
            });
        }
        registers.insert(index, pcr);
    }
    Ok(Measurement {
        image_sha384: image,
        registers,
    })
}

/// The index in `pcr8` or `PCR8`; 1 to 31.
pub fn register(name: &str) -> Option<u8> {
    let digits = name
        .strip_prefix("pcr")
        .or_else(|| name.strip_prefix("PCR"))?;
    let index: u8 = digits.parse().ok()?;
    (1..=31).contains(&index).then_some(index)
}

/// The spec's release with its revision.
pub fn of_spec(spec: &ChamberClusterSpec) -> Result<Release, Fault> {
    Ok(Release {
        image: spec.release.image.clone(),
        measurement: measured(spec)?,
        revision: revision(spec)?,
        generation: generation(spec)?,
    })
}

/// The generation of the spec's blob: what the manifest says, and without one there was no other wrapping than the first.
pub fn generation(spec: &ChamberClusterSpec) -> Result<u32, Fault> {
    let Some(written) = &spec.manifest else {
        return Ok(FIRST_GENERATION);
    };
    counted(written.body.generation).ok_or_else(|| {
        Fault::invalid(format!(
            "spec.manifest.body.generation is {}, expected 1 to 4294967295",
            written.body.generation
        ))
    })
}

/// A generation as the API writes it.
fn counted(written: i64) -> Option<u32> {
    u32::try_from(written).ok().filter(|found| *found > 0)
}

/// Ten hex characters that name image, measurement, pod template and manifest together.
///
/// Made of the user's words alone, not of what the operator adds: a new operator must not roll the chambers.
fn revision(spec: &ChamberClusterSpec) -> Result<String, Fault> {
    let exact = serde_json::json!([
        spec.cluster_id,
        spec.release,
        spec.chambers.template,
        spec.sealing
    ]);
    let mut canonical = String::new();
    write_canonical(&exact, &mut canonical);
    // Chambers read the manifest at their start. The run manifest takes its permit's place without another release, and
    // signing again rolls nothing.
    if let Some(written) = &spec.manifest {
        let signed = crate::manifest::signed(written)?;
        let subject = signed.unverified().subject();
        let subject = subject.map_err(|error| Fault::invalid(error.to_string()))?;
        canonical.push_str(&subject.to_string());
    }
    Ok(hex::encode(&Sha256::digest(canonical.as_bytes())[..5]))
}

/// What the release's enclaves attest: the image's registers, and PCR16 where the image takes the manifest.
fn measured(spec: &ChamberClusterSpec) -> Result<Measurement, Fault> {
    const FIELD: &str = "spec.release.measurement";
    let mut measured = measurement(&spec.release.measurement, FIELD)?;
    if measured.registers.contains_key(&MANIFEST_REGISTER) {
        return Err(Fault::invalid(format!(
            "{FIELD}.pcr16 is given: PCR16 is of spec.manifest, not of an image, and is computed from it. Leave it out"
        )));
    }
    if let Some(written) = spec
        .manifest
        .as_ref()
        .filter(|_| !spec.release.authorities.is_empty())
    {
        let signed = crate::manifest::signed(written)?;
        if let Kind::Run { .. } = signed.unverified().kind {
            let register = signed.digest().register();
            measured.registers.insert(MANIFEST_REGISTER, register);
        }
    }
    Ok(measured)
}

/// JSON with sorted members, so that equal values have equal texts.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            let sorted: BTreeMap<_, _> = members.iter().collect();
            for (name, member) in sorted {
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// As status and annotations write it.
pub fn to_status(release: &Release) -> ReleaseStatus {
    ReleaseStatus {
        image: release.image.clone(),
        measurement: measurement_to_status(&release.measurement),
        revision: release.revision.clone(),
        generation: Some(release.generation)
            .filter(|generation| *generation != FIRST_GENERATION)
            .map(i64::from),
    }
}

/// A measurement as status writes it.
pub fn measurement_to_status(measurement: &Measurement) -> MeasurementSpec {
    let registers = measurement.registers.iter();
    MeasurementSpec {
        image_sha384: measurement.image_sha384.to_string(),
        registers: registers
            .map(|(index, pcr)| (format!("pcr{index}"), pcr.to_string()))
            .collect(),
    }
}

/// As status and annotations wrote it; `None` where that cannot be read.
pub fn of_status(status: &ReleaseStatus) -> Option<Release> {
    Some(Release {
        image: status.image.clone(),
        measurement: measurement(&status.measurement, "status").ok()?,
        revision: status.revision.clone(),
        generation: match status.generation {
            None => FIRST_GENERATION,
            Some(written) => counted(written)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(image: &str, template: &Value) -> ChamberClusterSpec {
        serde_json::from_value(json!({
            "clusterId": "test-local-signer",
            "release": {"image": image, "measurement": {"imageSha384": "ab".repeat(48), "pcr8": "cd".repeat(48)}},
            "keys": {"threshold": 1, "shares": []},
            "chambers": {"template": template},
            "verification": {"prometheus": {"url": "http://prometheus"}}
        }))
        .unwrap()
    }

    #[test]
    fn the_revision_names_image_measurement_and_template_and_nothing_else() {
        let one = spec("a", &json!({"metadata": {"labels": {"a": "1", "b": "2"}}}));
        let mut replicas = one.clone();
        replicas.chambers.replicas = 7;
        let revision = |spec: &ChamberClusterSpec| revision(spec).unwrap();
        assert_eq!(revision(&one), revision(&replicas));
        let reordered = spec("a", &json!({"metadata": {"labels": {"b": "2", "a": "1"}}}));
        assert_eq!(revision(&one), revision(&reordered));
        assert_ne!(revision(&one), revision(&spec("b", &one.chambers.template)));
        assert_ne!(revision(&one), revision(&spec("a", &json!({}))));
    }

    /// Another one would roll every chamber when the operator is upgraded.
    #[test]
    fn the_revision_of_a_spec_without_a_manifest_stays_what_it_was() {
        let template = json!({"metadata": {"labels": {"a": "1"}}});
        assert_eq!(revision(&spec("a", &template)).unwrap(), "090c797241");
    }

    fn under(
        kind: &str,
        commitment: Option<&str>,
        signer: &str,
        signature: u8,
    ) -> ChamberClusterSpec {
        let mut spec = spec("a", &json!({}));
        let manifest = json!({
            "body": {
                "kind": kind, "clusterId": "test-local-signer", "generation": 1, "threshold": 1,
                "keys": ["arn:aws:kms:us-east-1:111122223333:key/a"],
                "signers": [signer.repeat(48)], "commitment": commitment
            },
            "signatures": [{"authority": hex::encode([signature; 32]), "signature": "A".repeat(128)}]
        });
        spec.manifest = Some(serde_json::from_value(manifest).unwrap());
        spec
    }

    #[test]
    fn a_manifest_is_part_of_the_revision_and_its_commitment_and_signatures_are_not() {
        let revision = |spec: &ChamberClusterSpec| revision(spec).unwrap();
        let run = revision(&under("Run", Some(&"11".repeat(32)), "cd", 1));
        assert_ne!(run, revision(&spec("a", &json!({}))));
        assert_eq!(run, revision(&under("SealPermit", None, "cd", 1)));
        assert_eq!(
            run,
            revision(&under("Run", Some(&"11".repeat(32)), "cd", 2))
        );
        assert_ne!(
            run,
            revision(&under("Run", Some(&"11".repeat(32)), "ce", 1))
        );
    }

    #[test]
    fn an_image_with_an_authority_attests_the_run_manifest_and_others_do_not() {
        let register = |spec: &ChamberClusterSpec| {
            let measurement = of_spec(spec).unwrap().measurement;
            measurement.register(MANIFEST_REGISTER).copied()
        };
        let mut run = under("Run", Some(&"11".repeat(32)), "cd", 1);
        assert_eq!(register(&run), None, "an image that measures no authority");
        run.release.authorities = vec!["a key".into()];
        let digest = crate::manifest::signed(run.manifest.as_ref().unwrap()).unwrap();
        assert_eq!(register(&run), Some(digest.digest().register()));
        let mut permit = under("SealPermit", None, "cd", 1);
        permit.release.authorities = vec!["a key".into()];
        assert_eq!(register(&permit), None, "nobody unseals under a permit");
        let mut given = spec("a", &json!({}));
        let registers = &mut given.release.measurement.registers;
        registers.insert("pcr16".into(), "ab".repeat(48));
        let fault = of_spec(&given).unwrap_err();
        assert!(
            fault.message.contains("pcr16 is given"),
            "{}",
            fault.message
        );
    }

    #[test]
    fn status_and_back_is_the_identity() {
        let release = of_spec(&spec("a", &json!({}))).unwrap();
        assert_eq!(of_status(&to_status(&release)), Some(release));
    }

    #[test]
    fn a_wrong_register_names_its_field() {
        let mut wrong = spec("a", &json!({}));
        wrong
            .release
            .measurement
            .registers
            .insert("pcr8".into(), "xyz".into());
        let fault = of_spec(&wrong).unwrap_err();
        assert_eq!(fault.reason, Reason::MalformedMeasurement);
        assert!(
            fault.message.contains("spec.release.measurement.pcr8"),
            "{}",
            fault.message
        );
        assert_eq!(register("pcr32"), None);
        assert_eq!(register("PCR8"), Some(8));
    }
}
