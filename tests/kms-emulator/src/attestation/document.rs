//! The document's bytes: `COSE_Sign1` around a CBOR map, with the limits that AWS's text sets.

use std::collections::BTreeMap;

use ciborium::Value;
use coset::{Algorithm, CborSerializable, CoseSign1, TaggedCborSerializable, iana};

use super::Rejected;

const MAX_PAYLOAD: usize = 16_384;
const MAX_CERTIFICATE: usize = 1024;
const MAX_PUBLIC_KEY: usize = 1024;
const MAX_USER_DATA: usize = 512;
const MAX_NONCE: usize = 512;
const SIGNATURE_BYTES: usize = 96;
/// Nesting that no honest document reaches; the parser's stack is bounded by it.
const MAX_DEPTH: usize = 16;

/// A document whose form is right; nothing in it is verified yet.
pub(super) struct Document {
    /// The `Signature1` structure that the leaf signed.
    pub signed_bytes: Vec<u8>,
    /// r then s.
    pub signature: Vec<u8>,
    pub module_id: String,
    pub timestamp_ms: i64,
    pub pcrs: BTreeMap<u8, Vec<u8>>,
    pub certificate: Vec<u8>,
    pub cabundle: Vec<Vec<u8>>,
    pub public_key: Option<Vec<u8>>,
}

impl Document {
    /// Parses a tagged or untagged `COSE_Sign1`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejected> {
        let sign1 = CoseSign1::from_slice(bytes)
            .or_else(|_| CoseSign1::from_tagged_slice(bytes))
            .map_err(|_| Rejected::Malformed("not a COSE_Sign1"))?;
        if sign1.protected.header.alg != Some(Algorithm::Assigned(iana::Algorithm::ES384)) {
            return Err(Rejected::Malformed("the algorithm is not ES384"));
        }
        if sign1.signature.len() != SIGNATURE_BYTES {
            return Err(Rejected::Malformed("the signature has not 96 bytes"));
        }
        let signed_bytes = sign1.tbs_data(b"");
        let payload = sign1
            .payload
            .filter(|payload| !payload.is_empty() && payload.len() <= MAX_PAYLOAD)
            .ok_or(Rejected::Malformed(
                "the payload is empty or over 16384 bytes",
            ))?;
        let mut fields = Fields::parse(&payload)?;
        if fields.text("digest")? != "SHA384" {
            return Err(Rejected::Malformed("digest is not SHA384"));
        }
        let module_id = fields.text("module_id")?;
        if module_id.is_empty() {
            return Err(Rejected::Malformed("module_id is empty"));
        }
        fields.bytes("user_data", 0, MAX_USER_DATA)?;
        fields.bytes("nonce", 0, MAX_NONCE)?;
        let certificate = fields.bytes("certificate", 1, MAX_CERTIFICATE)?;
        Ok(Self {
            signed_bytes,
            signature: sign1.signature,
            module_id,
            timestamp_ms: fields.timestamp()?,
            pcrs: fields.pcrs()?,
            certificate: certificate.ok_or(Rejected::Malformed("certificate is missing"))?,
            cabundle: fields.cabundle()?,
            public_key: fields.bytes("public_key", 1, MAX_PUBLIC_KEY)?,
        })
    }
}

/// The payload's members.
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn parse(payload: &[u8]) -> Result<Self, Rejected> {
        let mut rest = payload;
        let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAX_DEPTH)
            .map_err(|_| Rejected::Malformed("the payload is not CBOR"))?;
        if !rest.is_empty() {
            return Err(Rejected::Malformed("bytes follow the payload's map"));
        }
        let entries = value
            .into_map()
            .map_err(|_| Rejected::Malformed("the payload is not a map"))?;
        let mut fields = BTreeMap::new();
        for (key, value) in entries {
            let key = key
                .into_text()
                .map_err(|_| Rejected::Malformed("a member's name is not text"))?;
            if fields.insert(key, value).is_some() {
                return Err(Rejected::Malformed("a member is given twice"));
            }
        }
        Ok(Self(fields))
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<String, Rejected> {
        self.take(name)
            .and_then(|value| value.into_text().ok())
            .ok_or(Rejected::Malformed("module_id or digest is not text"))
    }

    fn bytes(&mut self, name: &str, min: usize, max: usize) -> Result<Option<Vec<u8>>, Rejected> {
        self.take(name)
            .map(|value| bounded(value, min, max))
            .transpose()
    }

    fn timestamp(&mut self) -> Result<i64, Rejected> {
        self.take("timestamp")
            .and_then(|value| value.into_integer().ok())
            .and_then(|integer| i64::try_from(i128::from(integer)).ok())
            .filter(|ms| *ms > 0)
            .ok_or(Rejected::Malformed("timestamp is not a positive integer"))
    }

    fn pcrs(&mut self) -> Result<BTreeMap<u8, Vec<u8>>, Rejected> {
        const WHAT: Rejected = Rejected::Malformed("pcrs is not a map of 1 to 32 registers");
        let entries = self.take("pcrs").and_then(|value| value.into_map().ok());
        let entries = entries
            .filter(|entries| (1..=32).contains(&entries.len()))
            .ok_or(WHAT)?;
        let mut pcrs = BTreeMap::new();
        for (index, value) in entries {
            let index = index
                .into_integer()
                .ok()
                .and_then(|index| u8::try_from(index).ok())
                .filter(|index| *index < 32)
                .ok_or(WHAT)?;
            let value = value
                .into_bytes()
                .ok()
                .filter(|bytes| matches!(bytes.len(), 32 | 48 | 64))
                .ok_or(WHAT)?;
            if pcrs.insert(index, value).is_some() {
                return Err(Rejected::Malformed("a register is given twice"));
            }
        }
        Ok(pcrs)
    }

    fn cabundle(&mut self) -> Result<Vec<Vec<u8>>, Rejected> {
        self.take("cabundle")
            .and_then(|value| value.into_array().ok())
            .filter(|list| !list.is_empty())
            .ok_or(Rejected::Malformed(
                "cabundle is not a list of certificates",
            ))?
            .into_iter()
            .map(|value| bounded(value, 1, MAX_CERTIFICATE))
            .collect()
    }
}

fn bounded(value: Value, min: usize, max: usize) -> Result<Vec<u8>, Rejected> {
    value
        .into_bytes()
        .ok()
        .filter(|bytes| (min..=max).contains(&bytes.len()))
        .ok_or(Rejected::Malformed(
            "a member is not bytes of an allowed length",
        ))
}
