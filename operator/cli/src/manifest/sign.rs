//! `manifest sign`.

use chamber_resource::manifest;
use cluster_manifest::{Algorithm, Authority, Digest, Kind, Signature, SignedManifest};

use super::file::ManifestFile;
use super::key_file::PrivateKey;
use super::{der, master_key, refused, tell};
use crate::arguments::{Sign, SigningKey};
use crate::kms;
use crate::output::{self, Answer, Exit, Failure};

/// Adds the signature, or puts it in the place of the same authority's.
pub fn run(asked: &Sign) -> Result<Answer, Failure> {
    let name = &asked.file;
    if asked.in_place && name == "-" {
        return Err(Failure::Usage(
            "--in-place: standard input cannot be written".to_owned(),
        ));
    }
    let file = ManifestFile::read(name)?;
    let found = manifest::signed(&file.manifest).map_err(|fault| refused(name, &fault))?;
    if let Some(cluster) = &file.cluster {
        let fits = manifest::same_keys(&cluster.spec, found.unverified());
        fits.map_err(|fault| refused(name, &fault))?;
        if let Kind::Run { commitment } = &found.unverified().kind {
            let what = format!("{name}: spec.manifest.body.commitment");
            master_key::recorded(&what, commitment, cluster)?;
        }
    }
    let encoded = found.unverified().encode();
    let body = encoded.map_err(|why| Failure::Refused(format!("{name}: {why}")))?;
    let (authority, bytes) = signature(&asked.signing, &body)?;
    if !authority.verifies(&body, &bytes) {
        return Err(Failure::Usage(
            "the key made a signature that its own public key does not verify".to_owned(),
        ));
    }
    let own = authority.fingerprint();
    let others = found.signatures().iter().filter(|one| one.authority != own);
    let mut signatures: Vec<_> = others.cloned().collect();
    signatures.push(Signature {
        authority: own,
        bytes,
    });
    let signed = SignedManifest::new(found.unverified().clone(), signatures);
    let signed = signed.map_err(|why| Failure::Refused(format!("{name}: {why}")))?;
    let text = file.with(&manifest::to_spec(&signed))?;
    tell(&signed);
    eprintln!("signed by {own}");
    if !asked.in_place {
        return Ok(Answer {
            text,
            exit: Exit::Clean,
        });
    }
    std::fs::write(name, text).map_err(|why| Failure::read(name, &why))?;
    Ok(Answer {
        text: String::new(),
        exit: Exit::Clean,
    })
}

fn signature(signing: &SigningKey, body: &[u8]) -> Result<(Authority, Vec<u8>), Failure> {
    if let Some(arn) = &signing.kms_key {
        return output::wait_for(of_kms(arn, body));
    }
    let Some(path) = &signing.key else {
        return Err(Failure::Usage("--key or --kms-key is missing".to_owned()));
    };
    let private = PrivateKey::read(path)?;
    Ok((private.authority()?, private.sign(body)?))
}

/// The key stays in KMS: it gets the digest of a body, or for Ed25519 (which signs no digest) the body.
async fn of_kms(arn: &str, body: &[u8]) -> Result<(Authority, Vec<u8>), Failure> {
    let sdk = kms::environment().await;
    let key = kms::Key::new(&sdk, arn)?;
    let public = key.public_key().await?;
    let authority = Authority::from_der(&public).map_err(|why| Failure::read(arn, &why))?;
    let bytes = match authority.algorithm() {
        Algorithm::Ed25519 => key.sign_ed25519(body).await?,
        Algorithm::P384 => {
            let signature = key.sign_p384(Digest::of(body).as_bytes()).await?;
            der::fixed(&signature).ok_or_else(|| {
                Failure::read(arn, &"kms:Sign gives a signature that is no DER of P-384")
            })?
        }
    };
    Ok((authority, bytes))
}
