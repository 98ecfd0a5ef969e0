//! The Secret of a run manifest, beside the sealed ones: a blob that was sealed under a permit is stored before there is a
//! run manifest, and sealed Secrets never change.

use std::collections::BTreeMap;

use chamber_api::names;
use cluster_manifest::{Authority, Signature, SignedManifest};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use wire_format::FormatError;

/// Key of the manifest: its envelope in base64, as chambers get it.
const KEY: &str = "manifest";
/// So much of the digest that nobody finds another body of the same name.
const ID: usize = 32;

/// What is stored of a manifest: its good signatures of these authorities alone, by authority.
pub fn kept(
    signed: &SignedManifest,
    authorities: &[Authority],
) -> Result<SignedManifest, FormatError> {
    let body = signed.unverified().encode()?;
    let good = |signature: &&Signature| {
        authorities.iter().any(|authority| {
            authority.fingerprint() == signature.authority
                && authority.verifies(&body, &signature.bytes)
        })
    };
    let mut signatures: Vec<_> = signed.signatures().iter().filter(good).cloned().collect();
    signatures.sort_by_key(|signature| signature.authority);
    SignedManifest::new(signed.unverified().clone(), signatures)
}

/// The Secret of a `ChamberCluster` of this name, without a namespace: immutable and without an owner, like the blob's.
///
/// Its name is of the body alone: signing again makes no further Secret.
pub fn build(cluster: &str, signed: &SignedManifest) -> Result<Secret, FormatError> {
    let mut id = signed.digest().to_string();
    id.truncate(ID);
    let labels = [
        (names::MANAGED_BY, names::MANAGER),
        (names::CLUSTER_LABEL, cluster),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(names::manifest_secret(cluster, &id)),
            labels: Some(labels.map(owned).into()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(BTreeMap::from([(
            KEY.to_owned(),
            ByteString(signed.to_text()?.into_bytes()),
        )])),
        ..Secret::default()
    })
}

/// The manifest in a Secret that is made like the one to be made; none where somebody else made it, or with another body.
pub fn same(found: &Secret, wanted: &Secret) -> Option<SignedManifest> {
    let read = |secret| SignedManifest::from_text(envelope(secret)?).ok();
    let has = |(label, value): (&String, &String)| found.labels().get(label) == Some(value);
    let made = found.immutable == Some(true) && wanted.labels().iter().all(has);
    let (found, wanted) = (read(found)?, read(wanted)?);
    (made && found.digest() == wanted.digest()).then_some(found)
}

/// The manifest in a Secret, in base64. It is public, and believed for its signatures alone.
pub fn envelope(secret: &Secret) -> Option<&str> {
    let found = secret.data.as_ref()?.get(KEY)?;
    std::str::from_utf8(&found.0).ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use cluster_manifest::{Fingerprint, Kind, Manifest};

    /// The authority and the envelope that `docs/cluster-manifest.md` has, read from there.
    const PAGE: &str = include_str!("../../../docs/cluster-manifest.md");

    fn written(name: &str) -> String {
        let block = PAGE.split(&format!("<!-- {name} -->\n```\n")).nth(1);
        block
            .unwrap()
            .split("```")
            .next()
            .unwrap()
            .replace('\n', "")
    }

    fn authority() -> Authority {
        Authority::from_der(&hex::decode(written("authority")).unwrap()).unwrap()
    }

    fn signed() -> SignedManifest {
        SignedManifest::from_text(&written("envelope")).unwrap()
    }

    fn with(body: &Manifest, signatures: Vec<Signature>) -> SignedManifest {
        SignedManifest::new(body.clone(), signatures).unwrap()
    }

    #[test]
    fn it_is_found_beside_the_blob_and_named_after_its_body_alone() {
        let secret = build("signer", &signed()).unwrap();
        let name = secret.name_any();
        let id = name.strip_prefix("signer-manifest-").unwrap();
        assert_eq!(id, &signed().digest().to_string()[..32]);
        let bare = with(signed().unverified(), Vec::new());
        assert_eq!(build("signer", &bare).unwrap().name_any(), name);
        let mut another = signed().unverified().clone();
        another.kind = Kind::Run {
            commitment: [0xc1; 32],
        };
        let another = build("signer", &with(&another, Vec::new())).unwrap();
        assert_ne!(another.name_any(), name);
        assert_eq!(secret.labels()[names::CLUSTER_LABEL], "signer");
        assert_eq!(secret.immutable, Some(true));
        assert!(secret.owner_references().is_empty());
        assert_eq!(envelope(&secret), Some(written("envelope").as_str()));
        assert_eq!(envelope(&Secret::default()), None);
    }

    #[test]
    fn good_signatures_alone_are_kept_and_a_body_that_nobody_signed_has_none() {
        let good = signed().signatures()[0].clone();
        let forged = |bytes: Vec<u8>, first: u8| Signature {
            authority: Fingerprint([first; 32]),
            bytes,
        };
        let (low, high) = (forged(vec![1; 64], 1), forged(good.bytes.clone(), 0xff));
        let body = signed().unverified().clone();
        for signatures in [
            vec![good.clone(), low.clone(), high.clone()],
            vec![high, good.clone(), low.clone()],
        ] {
            let stored = kept(&with(&body, signatures), &[authority()]).unwrap();
            assert_eq!(stored, signed());
        }
        let stored = kept(&with(&body, vec![low]), &[authority()]).unwrap();
        assert_eq!(stored.signatures(), []);
        assert_eq!(kept(&signed(), &[]).unwrap().signatures(), []);
    }

    #[test]
    fn equal_data_alone_does_not_make_a_secret_the_operators() {
        let wanted = build("signer", &signed()).unwrap();
        assert_eq!(same(&wanted, &wanted), Some(signed()));
        let bare = with(signed().unverified(), Vec::new());
        let first = build("signer", &bare).unwrap();
        assert_eq!(same(&first, &wanted), Some(bare));
        let mut foreign = vec![wanted.clone(); 4];
        foreign[0].immutable = None;
        foreign[1].metadata.labels = None;
        foreign[2]
            .labels_mut()
            .insert(names::CLUSTER_LABEL.into(), "another".into());
        let text = BASE64.encode("another");
        let data = BTreeMap::from([(KEY.to_owned(), ByteString(text.into_bytes()))]);
        foreign[3].data = Some(data);
        for secret in foreign {
            assert_eq!(same(&secret, &wanted), None, "{secret:?}");
        }
    }
}
