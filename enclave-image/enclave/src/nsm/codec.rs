//! Requests and answers as CBOR: one member named after the request, or only its name where it carries nothing.

use std::ops::RangeInclusive;

use ciborium::Value;
use unseal_agent::{DocumentContent, NsmError};

/// The request for a document.
pub const ATTESTATION: &str = "Attestation";
/// Nesting that no answer reaches; the parser's stack is bounded by it.
const MAX_DEPTH: usize = 8;

/// What the module is asked.
pub enum Request<'a> {
    DescribePcr { index: u8 },
    ExtendPcr { index: u8, data: &'a [u8] },
    LockPcr { index: u8 },
    Attestation(&'a DocumentContent),
    GetRandom,
}

impl Request<'_> {
    /// Its name in AWS's API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DescribePcr { .. } => "DescribePCR",
            Self::ExtendPcr { .. } => "ExtendPCR",
            Self::LockPcr { .. } => "LockPCR",
            Self::Attestation(_) => ATTESTATION,
            Self::GetRandom => "GetRandom",
        }
    }

    /// The request's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        let members = match self {
            Self::GetRandom => Vec::new(),
            Self::DescribePcr { index } | Self::LockPcr { index } => {
                vec![("index", Value::from(*index))]
            }
            Self::ExtendPcr { index, data } => vec![
                ("index", Value::from(*index)),
                ("data", Value::Bytes(data.to_vec())),
            ],
            Self::Attestation(content) => vec![
                ("user_data", optional(content.user_data.as_ref())),
                ("nonce", optional(content.nonce.as_ref())),
                ("public_key", optional(content.public_key.as_ref())),
            ],
        };
        let name = Value::from(self.name());
        let value = if members.is_empty() {
            name
        } else {
            let members = members.into_iter();
            let members = members.map(|(name, value)| (Value::from(name), value));
            Value::Map(vec![(name, Value::Map(members.collect()))])
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn optional(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()))
}

/// The most random bytes of one answer.
pub const MAX_RANDOM: usize = 256;
/// The head of the answer to `GetRandom`, as the module writes it: a map of one member, which is a map of one member.
const RANDOM: &[u8] = b"\xa1\x69GetRandom\xa1\x66random";

/// The random bytes in an answer, where they lie: a master key is made of them, and a parser would copy them.
///
/// None where the answer is written in another way, or is another one; [`Answer`] reads that.
pub fn random(answer: &[u8]) -> Option<&[u8]> {
    let (length, bytes) = match answer.strip_prefix(RANDOM)? {
        [head @ 0x40..=0x57, bytes @ ..] => (usize::from(head - 0x40), bytes),
        [0x58, length, bytes @ ..] => (usize::from(*length), bytes),
        [0x59, high, low, bytes @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), bytes),
        _ => return None,
    };
    (bytes.len() == length && (1..=MAX_RANDOM).contains(&length)).then_some(bytes)
}

/// What the module answered to a request, by member. It has no `Debug`: nobody is to print it.
pub struct Answer {
    request: &'static str,
    members: Vec<(Value, Value)>,
}

impl Answer {
    /// Reads the answer to the request of this name; the error is the module's, or says what it is not.
    pub fn decode(mut bytes: &[u8], request: &'static str) -> Result<Self, String> {
        let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, MAX_DEPTH)
            .map_err(|_| "its answer is not CBOR".to_owned())?;
        if !bytes.is_empty() {
            return Err("bytes follow its answer".to_owned());
        }
        let (name, content) = match value {
            Value::Text(name) => (name, Value::Map(Vec::new())),
            Value::Map(mut entries) => match (entries.pop(), entries.pop()) {
                (Some((Value::Text(name), content)), None) => (name, content),
                _ => return Err("its answer is not one member".to_owned()),
            },
            _ => return Err("its answer is neither a name nor a map".to_owned()),
        };
        match content {
            Value::Text(code) if name == "Error" => Err(sentence(&code)),
            Value::Map(members) if name == request => Ok(Self { request, members }),
            _ => Err("it answered another request".to_owned()),
        }
    }

    /// A member of bytes, with a length in this range.
    pub fn bytes(
        &mut self,
        name: &str,
        lengths: RangeInclusive<usize>,
    ) -> Result<Vec<u8>, NsmError> {
        let at = self
            .members
            .iter()
            .position(|(key, _)| key.as_text() == Some(name));
        let value = at.map(|at| self.members.swap_remove(at).1);
        let what = match value {
            Some(Value::Bytes(bytes)) if lengths.contains(&bytes.len()) => return Ok(bytes),
            Some(Value::Bytes(bytes)) => format!("{name} has {} bytes", bytes.len()),
            Some(_) => format!("{name} is not bytes"),
            None => format!("{name} is missing"),
        };
        let (least, most) = lengths.into_inner();
        Err(NsmError {
            request: self.request,
            what: format!("its answer is not as it should be: {what}, expected {least} to {most}"),
        })
    }
}

/// The module's error codes (nsm-api, `ErrorCode`).
fn sentence(code: &str) -> String {
    let meaning = match code {
        "Success" => "an error without a fault",
        "InvalidArgument" => "it does not take what was asked",
        "InvalidIndex" => "there is no such register: it has 0 to 31",
        "InvalidResponse" => "the answer was not to this request",
        "ReadOnlyIndex" => "the register is locked: only a new enclave has it open",
        "InvalidOperation" => "it cannot do this",
        "BufferTooSmall" => "the answer does not fit",
        "InputTooLarge" => "the request is too long",
        "InternalError" => "a fault inside of it: start the enclave anew",
        _ => "an error code that this build does not know",
    };
    let code: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(40)
        .collect();
    format!("{code}: {meaning}")
}
