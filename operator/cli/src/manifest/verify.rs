//! `manifest verify`.

use std::fmt::Write;

use chamber_resource::manifest;
use cluster_manifest::{
    Authority, Kind, Manifest, Mismatch, Provenance, Signature, SignedManifest, check_blob,
    check_sealed,
};
use sealed_blob::InnerBlob;
use serde_json::{Value, json};

use super::file::ManifestFile;
use super::{master_key, title};
use crate::arguments::Verify;
use crate::input;
use crate::output::{self, Answer, Colour, Exit, Failure, paint};
use crate::sealed;

/// More than any public key of these kinds.
const MOST: u64 = 64 * 1024;

/// What the command found.
struct Found<'a> {
    signed: &'a SignedManifest,
    authorities: &'a [(&'a str, Authority)],
    verified: bool,
    /// The blob, where one was given.
    blob: Option<Judged>,
}

/// What was found of a blob.
struct Judged {
    commitment: [u8; 32],
    /// What it shows of its sealing, where it is what the manifest speaks of.
    fits: Result<Provenance, Mismatch>,
    /// Why that is not enough.
    unproven: Option<String>,
}

/// Whether it is signed, and whether the blob fits.
pub fn run(asked: &Verify) -> Result<Answer, Failure> {
    let name = &asked.file;
    let authorities = asked.authority.iter().map(|file| authority(file));
    let authorities = authorities.collect::<Result<Vec<_>, _>>()?;
    let file = ManifestFile::read(name)?;
    let signed = manifest::signed(&file.manifest);
    let signed = signed.map_err(|fault| Failure::read(name, &fault.message))?;
    let keys: Vec<_> = authorities.iter().map(|(_, key)| key.clone()).collect();
    let blob = match &asked.blob {
        None => None,
        Some(sealed) => {
            let bound_to = sealed::bound_to(asked.measurement.as_deref(), file.cluster.as_ref())?;
            let inner = sealed::read(sealed, &bound_to)?;
            let root = sealed::root(asked.root.as_deref())?;
            let fits = fits(signed.unverified(), &inner, &root);
            Some(Judged::new(&inner, fits, asked.commitment.as_ref()))
        }
    };
    let found = Found {
        verified: signed.verify(&keys).is_ok(),
        signed: &signed,
        authorities: &authorities,
        blob,
    };
    let clean = found.verified && found.blob.as_ref().is_none_or(Judged::clean);
    Ok(Answer {
        text: output::form(&found.value(), asked.output, || found.text())?,
        exit: Exit::of(clean),
    })
}

fn authority(file: &str) -> Result<(&str, Authority), Failure> {
    let text = input::text(file, MOST)?;
    let authority = Authority::from_pem(&text).map_err(|why| Failure::read(file, &why))?;
    Ok((file, authority))
}

fn fits(
    manifest: &Manifest,
    inner: &InnerBlob,
    root: &attestation::Root,
) -> Result<Provenance, Mismatch> {
    match manifest.kind {
        Kind::Run { .. } => check_blob(manifest, inner, root),
        Kind::SealPermit => check_sealed(manifest, inner, root).map(|()| Provenance::Attested),
    }
}

impl Judged {
    fn new(
        inner: &InnerBlob,
        fits: Result<Provenance, Mismatch>,
        compared: Option<&[u8; 32]>,
    ) -> Self {
        let provenance = fits.as_ref().ok();
        let vouched =
            provenance.map(|provenance| master_key::vouched(*provenance, inner, compared));
        Self {
            commitment: inner.commitment,
            unproven: vouched.and_then(Result::err),
            fits,
        }
    }

    fn clean(&self) -> bool {
        self.fits.is_ok() && self.unproven.is_none()
    }

    fn value(&self) -> Value {
        let mismatch = self.fits.as_ref().err().map(ToString::to_string);
        let provenance = self.fits.as_ref().ok().copied();
        json!({
            "fits": self.clean(),
            "provenance": provenance.map(master_key::name),
            "commitment": hex::encode(self.commitment),
            "shows": provenance.filter(|_| self.clean()).map(master_key::told),
            "why": mismatch.or_else(|| self.unproven.clone()),
        })
    }

    fn text(&self) -> String {
        match (&self.fits, &self.unproven) {
            (Err(why), _) => format!("{}: {why}", paint(Colour::Red, "does not fit")),
            (Ok(_), Some(why)) => format!("{}: {why}", paint(Colour::Red, "unproven")),
            (Ok(provenance), None) => {
                let shows = master_key::told(*provenance);
                format!("{}: {shows}", paint(Colour::Green, "fits"))
            }
        }
    }
}

impl Found<'_> {
    /// `good`, `bad`, or `unknown` where no given authority has this fingerprint; and the authority's file.
    fn judge(&self, signature: &Signature) -> (&'static str, Option<&str>) {
        let mut known = self.authorities.iter();
        let known = known.find(|(_, key)| key.fingerprint() == signature.authority);
        let Some((file, key)) = known else {
            return ("unknown", None);
        };
        // A body that was read encodes.
        let body = self.signed.unverified().encode().unwrap_or_default();
        let good = key.verifies(&body, &signature.bytes);
        (if good { "good" } else { "bad" }, Some(file))
    }

    fn value(&self) -> Value {
        let manifest = self.signed.unverified();
        let signatures = self.signed.signatures().iter().map(|signature| {
            let (state, file) = self.judge(signature);
            json!({"authority": signature.authority.to_string(), "state": state, "file": file})
        });
        json!({
            "kind": match manifest.kind { Kind::SealPermit => "SealPermit", Kind::Run { .. } => "Run" },
            "clusterId": manifest.cluster_id,
            "generation": manifest.generation,
            "digest": self.signed.digest().to_string(),
            "pcr16": self.signed.digest().register().to_string(),
            "verified": self.verified,
            "signatures": signatures.collect::<Vec<_>>(),
            "blob": self.blob.as_ref().map(Judged::value),
        })
    }

    fn text(&self) -> String {
        let digest = self.signed.digest();
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<10}{value}");
        };
        line("manifest", &title(self.signed.unverified()));
        line("digest", &digest.to_string());
        line("PCR16", &digest.register().to_string());
        for signature in self.signed.signatures() {
            let (state, file) = self.judge(signature);
            let whose = file.map_or(String::new(), |file| format!(" ({file})"));
            line(
                "signature",
                &format!("{} {state}{whose}", signature.authority),
            );
        }
        let verified = if self.verified {
            paint(Colour::Green, "yes")
        } else {
            paint(
                Colour::Red,
                "no: none of these authorities signed this body",
            )
        };
        line("verified", &verified);
        if let Some(blob) = &self.blob {
            line("blob", &blob.text());
        }
        text
    }
}
