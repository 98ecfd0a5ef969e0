//! The Secret of a sealed blob: as the operator makes it, and as a copy of it is kept.

use std::collections::BTreeMap;

use chamber_api::names;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use measurement::Measurement;
use rollover::blob_id;

/// Annotation: the registers that the blob is bound to, `PCR0=<96 hex>,PCR8=<96 hex>`.
const BOUND_TO: &str = "chamber.dev/bound-to";
/// Annotation: the cluster manifest with its signatures in base64, as chambers get it. It is public, and believed for its
/// signatures alone.
const MANIFEST: &str = "chamber.dev/manifest";

/// The Secret of a `ChamberCluster` of this name, without a namespace: immutable and without an owner, as it outlives
/// the resource. `blob` is base64, because it is handed to chambers as an environment variable.
pub fn build(
    cluster: &str,
    bound_to: &Measurement,
    generation: u32,
    blob: &str,
    manifest: Option<String>,
) -> Secret {
    let labels = [
        (names::MANAGED_BY, names::MANAGER),
        (names::CLUSTER_LABEL, cluster),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut annotations = BTreeMap::from([(BOUND_TO.to_owned(), registers(bound_to))]);
    annotations.extend(manifest.map(|text| (MANIFEST.to_owned(), text)));
    Secret {
        metadata: ObjectMeta {
            name: Some(names::sealed_secret(
                cluster,
                &blob_id(bound_to, generation),
            )),
            labels: Some(labels.map(owned).into()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(
            names::BLOB_KEY.to_owned(),
            ByteString(blob.as_bytes().to_vec()),
        )])),
        ..Secret::default()
    }
}

/// What the blob says that it is bound to; Secrets of older versions do not say so.
pub fn bound_to(secret: &Secret) -> Option<&str> {
    annotation(secret, BOUND_TO)
}

/// The cluster manifest beside the blob, in base64.
pub fn manifest(secret: &Secret) -> Option<&str> {
    annotation(secret, MANIFEST)
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret.annotations().get(name).map(String::as_str)
}

/// The registers that tell images apart, as the command line takes a measurement.
fn registers(measurement: &Measurement) -> String {
    let each = measurement.of_image();
    let each = each.map(|(index, pcr)| format!("PCR{index}={pcr}"));
    each.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use measurement::Pcr;

    #[test]
    fn what_it_is_bound_to_and_the_manifest_stand_beside_the_blob() {
        let bound = Measurement {
            image_sha384: Pcr::from_bytes([0x1a; 48]),
            registers: [
                (8, Pcr::from_bytes([0x8a; 48])),
                (measurement::MANIFEST_REGISTER, Pcr::from_bytes([0x16; 48])),
            ]
            .into(),
        };
        let secret = build("signer", &bound, 1, "Q0hTQg==", Some("bWFuaWZlc3Q=".into()));
        assert_eq!(secret.name_any(), format!("signer-sealed-{}", bound.id()));
        let said = format!("PCR0={},PCR8={}", "1a".repeat(48), "8a".repeat(48));
        assert_eq!(
            bound_to(&secret),
            Some(said.as_str()),
            "the image's registers"
        );
        assert_eq!(manifest(&secret), Some("bWFuaWZlc3Q="));
        assert_eq!(secret.immutable, Some(true));
        assert_eq!(
            secret.data.as_ref().unwrap()[names::BLOB_KEY].0,
            b"Q0hTQg=="
        );
        assert_eq!(manifest(&build("signer", &bound, 1, "", None)), None);
        let later = build("signer", &bound, 12, "", None).name_any();
        assert_eq!(later, format!("signer-sealed-{}-g12", bound.id()));
    }
}
