//! The document's bytes: `COSE_Sign1` around a CBOR map, with the limits that AWS's text sets
//! (`attestation_process.md` of aws-nitro-enclaves-nsm-api; where it names two limits, the lower one).

use std::collections::BTreeMap;

use ciborium::Value;
use coset::{CborSerializable, CoseSign1, HeaderBuilder, TaggedCborSerializable, iana};
use measurement::Pcr;

use crate::Rejected;

const MAX_PAYLOAD: usize = 16_384;
/// The longest document in bytes: payload, signature, and room for what is around them.
pub const MAX_BYTES: usize = MAX_PAYLOAD + 256;
const SIGNATURE_BYTES: usize = 96;
/// Nesting that no honest document reaches; the parser's stack is bounded by it.
const MAX_DEPTH: usize = 16;

/// A document whose form is right; nothing in it is verified yet.
pub(crate) struct Document {
    /// The `Signature1` structure that the leaf signed.
    pub signed_bytes: Vec<u8>,
    /// r then s.
    pub signature: Vec<u8>,
    pub module_id: String,
    pub timestamp_ms: i64,
    pub pcrs: BTreeMap<u8, Pcr>,
    pub certificate: Vec<u8>,
    pub cabundle: Vec<Vec<u8>>,
    pub public_key: Option<Vec<u8>>,
    pub user_data: Option<Vec<u8>>,
    pub nonce: Option<Vec<u8>>,
}

impl Document {
    /// Parses a tagged or untagged `COSE_Sign1`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Rejected> {
        if bytes.len() > MAX_BYTES {
            return Err(Rejected::Malformed("it is over 16640 bytes"));
        }
        let sign1 = CoseSign1::from_slice(bytes)
            .or_else(|_| CoseSign1::from_tagged_slice(bytes))
            .map_err(|_| Rejected::Malformed("not a COSE_Sign1"))?;
        let header = HeaderBuilder::new()
            .algorithm(iana::Algorithm::ES384)
            .build();
        // AWS's documents have the algorithm there and nothing more: whatever else it may mean is not known here.
        if sign1.protected.header != header {
            return Err(Rejected::Malformed("the algorithm is not ES384"));
        }
        if !sign1.unprotected.is_empty() {
            return Err(Rejected::Malformed("the unprotected header is not empty"));
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
        fields.digest()?;
        Ok(Self {
            signed_bytes,
            signature: sign1.signature,
            module_id: fields.module_id()?,
            timestamp_ms: fields.timestamp()?,
            pcrs: fields.pcrs()?,
            certificate: required(&CERTIFICATE, fields.take("certificate"))?,
            cabundle: fields.cabundle()?,
            public_key: fields.optional(&PUBLIC_KEY)?,
            user_data: fields.optional(&USER_DATA)?,
            nonce: fields.optional(&NONCE)?,
        })
    }
}

/// What a member of bytes may be.
struct Bytes {
    field: &'static str,
    min: usize,
    max: usize,
    allowed: &'static str,
}

const CERTIFICATE: Bytes = Bytes::new("certificate", 1, 1024, "1 to 1024 bytes");
const AUTHORITY: Bytes = Bytes::new("a certificate of cabundle", 1, 1024, "1 to 1024 bytes");
const PUBLIC_KEY: Bytes = Bytes::new("public_key", 1, 1024, "1 to 1024 bytes, or null");
const USER_DATA: Bytes = Bytes::new("user_data", 0, 512, "at most 512 bytes, or null");
const NONCE: Bytes = Bytes::new("nonce", 0, 512, "at most 512 bytes, or null");
const REGISTER: Bytes = Bytes::new("a register of pcrs", 48, 48, "48 bytes, as of SHA384");

impl Bytes {
    const fn new(field: &'static str, min: usize, max: usize, allowed: &'static str) -> Self {
        Self {
            field,
            min,
            max,
            allowed,
        }
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

    fn optional(&mut self, what: &Bytes) -> Result<Option<Vec<u8>>, Rejected> {
        let value = self.take(what.field);
        value.map(|value| required(what, Some(value))).transpose()
    }

    fn digest(&mut self) -> Result<(), Rejected> {
        match self.take("digest") {
            Some(Value::Text(text)) if text == "SHA384" => Ok(()),
            other => Err(member("digest", other.as_ref(), "the text SHA384")),
        }
    }

    fn module_id(&mut self) -> Result<String, Rejected> {
        match self.take("module_id") {
            Some(Value::Text(text)) if !text.is_empty() => Ok(text),
            other => Err(member("module_id", other.as_ref(), "text, not empty")),
        }
    }

    fn timestamp(&mut self) -> Result<i64, Rejected> {
        let value = self.take("timestamp");
        value
            .as_ref()
            .and_then(Value::as_integer)
            .and_then(|integer| i64::try_from(i128::from(integer)).ok())
            .filter(|ms| *ms > 0)
            .ok_or_else(|| {
                member(
                    "timestamp",
                    value.as_ref(),
                    "a positive integer of 63 bits, milliseconds",
                )
            })
    }

    fn pcrs(&mut self) -> Result<BTreeMap<u8, Pcr>, Rejected> {
        let entries = match self.take("pcrs") {
            Some(Value::Map(entries)) if (1..=32).contains(&entries.len()) => entries,
            other => return Err(member("pcrs", other.as_ref(), "a map of 1 to 32 registers")),
        };
        let mut pcrs = BTreeMap::new();
        for (key, value) in entries {
            let index = key
                .as_integer()
                .and_then(|index| u8::try_from(index).ok())
                .filter(|index| *index < 32)
                .ok_or_else(|| member("an index of pcrs", Some(&key), "0 to 31"))?;
            let mut register = [0; 48];
            register.copy_from_slice(&required(&REGISTER, Some(value))?);
            if pcrs.insert(index, Pcr::from_bytes(register)).is_some() {
                return Err(Rejected::Malformed("a register is given twice"));
            }
        }
        Ok(pcrs)
    }

    fn cabundle(&mut self) -> Result<Vec<Vec<u8>>, Rejected> {
        match self.take("cabundle") {
            Some(Value::Array(list)) if !list.is_empty() => list
                .into_iter()
                .map(|value| required(&AUTHORITY, Some(value)))
                .collect(),
            other => Err(member(
                "cabundle",
                other.as_ref(),
                "a list of certificates, not empty",
            )),
        }
    }
}

/// Bytes within their limits.
fn required(what: &Bytes, value: Option<Value>) -> Result<Vec<u8>, Rejected> {
    match value {
        Some(Value::Bytes(bytes)) if (what.min..=what.max).contains(&bytes.len()) => Ok(bytes),
        other => Err(member(what.field, other.as_ref(), what.allowed)),
    }
}

/// Says kind and size of what was found, and never its content: it is anybody's.
fn member(field: &'static str, value: Option<&Value>, allowed: &'static str) -> Rejected {
    let found = match value {
        None => "missing or null".to_owned(),
        Some(Value::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Some(Value::Text(text)) => format!("another text of {} bytes", text.len()),
        Some(Value::Integer(integer)) => format!("the integer {}", i128::from(*integer)),
        Some(Value::Array(list)) => format!("a list of {}", list.len()),
        Some(Value::Map(entries)) => format!("a map of {}", entries.len()),
        Some(_) => "of another kind".to_owned(),
    };
    Rejected::Member {
        field,
        found,
        allowed,
    }
}
