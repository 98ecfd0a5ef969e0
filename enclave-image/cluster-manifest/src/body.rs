//! The body of a manifest: what is signed.

use std::collections::BTreeSet;

use measurement::Pcr;
use wire_format::{
    FormatError, Reader, check_cluster_id, check_key_arn, check_scheme, put_long, put_short,
};

use crate::{Digest, KeyArn};

pub(crate) const DOCUMENT: &str = "cluster manifest";
const MAGIC: [u8; 4] = *b"CHMF";
const VERSION: u8 = 1;
const SEAL_PERMIT: u8 = 1;
const RUN: u8 = 2;
/// Signers, or sealing images, that one manifest names at most.
pub const MAX_SEALERS: usize = 8;

/// What an authority says of one cluster and one generation of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it allows.
    pub kind: Kind,
    /// The cluster: 1 to 45 of `a-z`, `0-9` and `-`.
    pub cluster_id: String,
    /// Counts the wrappings of one master key, from 1.
    pub generation: u32,
    /// How many shares open the master key.
    pub threshold: u8,
    /// Full ARN of each share's key, in the order of the shares; their Regions are the only ones that KMS is asked in.
    pub keys: Vec<String>,
    /// PCR8 of the certificates whose images may seal.
    pub signers: BTreeSet<Pcr>,
    /// PCR0 of images that may seal, whoever signed them.
    pub sealing_images: BTreeSet<Pcr>,
    /// Digest of the manifest of the generation before; the first generation has none.
    pub previous: Option<Digest>,
}

/// What a manifest allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To make a master key and seal it; not to unseal.
    SealPermit,
    /// To unseal the master key with this commitment; not to make another.
    Run {
        /// The commitment in the sealed blob.
        commitment: [u8; 32],
    },
}

impl Manifest {
    /// The bytes that are signed and whose digest stands for the manifest. Every valid value has exactly one encoding.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let count = self.check()?;
        let mut out = MAGIC.to_vec();
        out.extend([
            VERSION,
            match self.kind {
                Kind::SealPermit => SEAL_PERMIT,
                Kind::Run { .. } => RUN,
            },
        ]);
        put_short(&mut out, DOCUMENT, "cluster id", self.cluster_id.as_bytes())?;
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend([self.threshold, count]);
        for key in &self.keys {
            put_long(&mut out, DOCUMENT, "key ARN", key.as_bytes())?;
        }
        for (field, list) in self.sealers() {
            out.push(u8::try_from(list.len()).map_err(|_| too_many(field, list.len()))?);
            out.extend(list.iter().flat_map(Pcr::as_bytes));
        }
        out.push(u8::from(self.previous.is_some()));
        out.extend(self.previous.iter().flat_map(Digest::as_bytes));
        if let Kind::Run { commitment } = &self.kind {
            out.extend_from_slice(commitment);
        }
        Ok(out)
    }

    /// Reads a body; any other bytes are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(DOCUMENT, bytes);
        if reader.array("magic")? != MAGIC {
            return Err(field("magic", "other bytes", "\"CHMF\""));
        }
        let version = reader.byte("version")?;
        if version != VERSION {
            return Err(FormatError::Version {
                document: DOCUMENT,
                found: version,
                known: "1",
            });
        }
        let kind = reader.byte("kind")?;
        let cluster_id = reader.short("cluster id")?;
        let cluster_id = reader.text("cluster id", cluster_id)?;
        let generation = reader.u32("generation")?;
        let threshold = reader.byte("threshold")?;
        let count = reader.byte("share count")?;
        check_scheme(DOCUMENT, threshold, count)?;
        let keys = (0..count).map(|_| {
            let arn = reader.long("key ARN")?;
            reader.text("key ARN", arn)
        });
        let keys = keys.collect::<Result<_, _>>()?;
        let signers = read_sealers(&mut reader, "signers")?;
        let sealing_images = read_sealers(&mut reader, "sealing images")?;
        let previous = match reader.byte("previous")? {
            0 => None,
            1 => Some(Digest::from_bytes(reader.array("previous")?)),
            found => return Err(field("previous", &found.to_string(), "0 or 1")),
        };
        let kind = match kind {
            SEAL_PERMIT => Kind::SealPermit,
            RUN => Kind::Run {
                commitment: reader.array("commitment")?,
            },
            found => {
                return Err(field(
                    "kind",
                    &found.to_string(),
                    "1 (seal permit) or 2 (run manifest)",
                ));
            }
        };
        reader.end()?;
        let manifest = Self {
            kind,
            cluster_id,
            generation,
            threshold,
            keys,
            signers,
            sealing_images,
            previous,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The digest that this manifest has as a seal permit: what stays when the run manifest takes the permit's place.
    pub fn subject(&self) -> Result<Digest, FormatError> {
        let permit = Self {
            kind: Kind::SealPermit,
            ..self.clone()
        };
        permit.digest()
    }

    /// The digest of the body.
    pub fn digest(&self) -> Result<Digest, FormatError> {
        Ok(Digest::of(&self.encode()?))
    }

    fn sealers(&self) -> [(&'static str, &BTreeSet<Pcr>); 2] {
        [
            ("signers", &self.signers),
            ("sealing images", &self.sealing_images),
        ]
    }

    /// The rules of every field, checked in both directions; gives the number of keys.
    fn check(&self) -> Result<u8, FormatError> {
        let count = self.keys.len();
        let count =
            u8::try_from(count).map_err(|_| field("share count", &count.to_string(), "1 to 10"))?;
        check_scheme(DOCUMENT, self.threshold, count)?;
        check_cluster_id(DOCUMENT, &self.cluster_id)?;
        for arn in &self.keys {
            check_key_arn(DOCUMENT, arn)?;
            if KeyArn::parse(arn).is_none() {
                let allowed = "the full ARN of a key (arn:<partition>:kms:<region>:<account>:key/<id>), no alias";
                return Err(field("key ARN", &format!("{arn:?}"), allowed));
            }
        }
        if self.keys.iter().collect::<BTreeSet<_>>().len() != self.keys.len() {
            let allowed = "each key once: every share needs a key of its own";
            return Err(field("keys", "one key named twice", allowed));
        }
        self.check_sealers()?;
        match (self.generation, self.previous) {
            (0, _) => Err(field("generation", "0", "1 and up")),
            (1, Some(_)) => Err(field(
                "previous",
                "a digest",
                "none in the first generation",
            )),
            (2.., None) => Err(field(
                "previous",
                "none",
                "the digest of the manifest of the generation before",
            )),
            _ => Ok(count),
        }
    }

    fn check_sealers(&self) -> Result<(), FormatError> {
        for (name, list) in self.sealers() {
            if list.len() > MAX_SEALERS {
                return Err(too_many(name, list.len()));
            }
            // An enclave in debug mode has zeros in PCR0 and PCR8: whoever named them would admit anybody's.
            if list.iter().any(|pcr| pcr.is_zero() || pcr.is_nobody()) {
                return Err(field(name, "a reserved value", "no zeros and no 96 x f"));
            }
        }
        if self.signers.is_empty() && self.sealing_images.is_empty() {
            let allowed = "at least one signer (PCR8) or sealing image (PCR0)";
            return Err(field("signers", "nobody may seal", allowed));
        }
        Ok(())
    }
}

fn read_sealers(reader: &mut Reader<'_>, name: &'static str) -> Result<BTreeSet<Pcr>, FormatError> {
    let count = reader.byte(name)?;
    let list = (0..count).map(|_| reader.array(name).map(Pcr::from_bytes));
    let list = list.collect::<Result<Vec<_>, _>>()?;
    if !list.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(field(
            name,
            "values out of order",
            "ascending, each value once",
        ));
    }
    Ok(list.into_iter().collect())
}

fn too_many(name: &'static str, found: usize) -> FormatError {
    field(name, &format!("{found} values"), "at most 8")
}

fn field(name: &'static str, found: &str, allowed: &'static str) -> FormatError {
    FormatError::field(DOCUMENT, name, found, allowed)
}
