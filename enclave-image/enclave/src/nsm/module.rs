//! Requests to the module and its answers, with their limits.

use std::io;
use std::sync::Arc;

use measurement::Pcr;
use unseal_agent::{DocumentContent, Nsm, NsmError};
use zeroize::Zeroizing;

use super::codec::{self, Answer, MAX_RANDOM, Request};

/// What carries one request to the module and brings its answer.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` (CBOR), and gives the length of what is in `answer` then.
    fn exchange(&self, request: &[u8], answer: &mut [u8]) -> io::Result<usize>;
}

/// The module behind a transport; clones are the same module.
pub struct Module<T> {
    transport: Arc<T>,
}

impl<T> Clone for Module<T> {
    fn clone(&self) -> Self {
        Self {
            transport: Arc::clone(&self.transport),
        }
    }
}

/// Longest request, as the driver takes it (drivers/misc/nsm.c).
const MAX_REQUEST: usize = 0x1000;
/// Longest answer, as the driver gives it.
const MAX_ANSWER: usize = 0x3000;
/// The module's limits for what a document carries (nsm-api, `attestation_process.md`), in bytes.
const MAX_PUBLIC_KEY: usize = 1024;
const MAX_USER_DATA: usize = 512;
const MAX_NONCE: usize = 512;

impl<T: Transport> Module<T> {
    /// Over this transport.
    pub fn new(transport: T) -> Self {
        Self {
            transport: Arc::new(transport),
        }
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer, NsmError> {
        let name = request.name();
        let answer = self.raw(request)?;
        Answer::decode(&answer, name).map_err(|what| NsmError {
            request: name,
            what,
        })
    }

    /// The answer's bytes, which are wiped.
    fn raw(&self, request: &Request<'_>) -> Result<Zeroizing<Vec<u8>>, NsmError> {
        let name = request.name();
        let failed = |what: String| NsmError {
            request: name,
            what,
        };
        let bytes = request.encode().map_err(failed)?;
        if bytes.len() > MAX_REQUEST {
            return Err(failed(format!(
                "the request has {} bytes, the module takes {MAX_REQUEST}",
                bytes.len()
            )));
        }
        let mut answer = Zeroizing::new(vec![0; MAX_ANSWER]);
        let exchanged = self.transport.exchange(&bytes, &mut answer);
        let length = exchanged.map_err(|error| failed(format!("/dev/nsm: {error}")))?;
        if length > answer.len() {
            return Err(failed(format!("it claims to answer {length} bytes")));
        }
        answer.truncate(length);
        Ok(answer)
    }
}

impl<T: Transport> Nsm for Module<T> {
    fn attestation_document(&self, content: DocumentContent) -> Result<Vec<u8>, NsmError> {
        check("public_key", content.public_key.as_deref(), MAX_PUBLIC_KEY)?;
        check("user_data", content.user_data.as_deref(), MAX_USER_DATA)?;
        check("nonce", content.nonce.as_deref(), MAX_NONCE)?;
        let mut answer = self.ask(&Request::Attestation(&content))?;
        answer.bytes("document", 1..=attestation::MAX_BYTES)
    }

    fn pcr(&self, index: u8) -> Result<Pcr, NsmError> {
        let mut answer = self.ask(&Request::DescribePcr { index })?;
        let mut value = [0; 48];
        value.copy_from_slice(&answer.bytes("data", 48..=48)?);
        Ok(Pcr::from_bytes(value))
    }

    fn extend(&self, index: u8, bytes: &[u8]) -> Result<(), NsmError> {
        let mut answer = self.ask(&Request::ExtendPcr { index, data: bytes })?;
        answer.bytes("data", 48..=48).map(drop)
    }

    fn lock(&self, index: u8) -> Result<(), NsmError> {
        self.ask(&Request::LockPcr { index }).map(drop)
    }

    fn random(&self, out: &mut [u8]) -> Result<(), NsmError> {
        let mut rest = out;
        while !rest.is_empty() {
            let answer = self.raw(&Request::GetRandom)?;
            rest = match codec::random(&answer) {
                Some(got) => fill(rest, got),
                None => fill(rest, &random(&answer)?),
            };
        }
        Ok(())
    }
}

/// Fills the beginning, and gives the rest.
fn fill<'a>(out: &'a mut [u8], got: &[u8]) -> &'a mut [u8] {
    let (now, later) = out.split_at_mut(out.len().min(got.len()));
    now.copy_from_slice(&got[..now.len()]);
    later
}

/// Random bytes in another encoding than the module's, by a parser that copies them; or what the answer is in their place.
fn random(answer: &[u8]) -> Result<Zeroizing<Vec<u8>>, NsmError> {
    let request = Request::GetRandom.name();
    let failed = |what| NsmError { request, what };
    let mut answer = Answer::decode(answer, request).map_err(failed)?;
    answer.bytes("random", 1..=MAX_RANDOM).map(Zeroizing::new)
}

/// Says before the module does which member is too long.
fn check(field: &str, value: Option<&[u8]>, most: usize) -> Result<(), NsmError> {
    let length = value.map_or(0, <[u8]>::len);
    if length <= most {
        return Ok(());
    }
    Err(NsmError {
        request: codec::ATTESTATION,
        what: format!("{field} has {length} bytes, the module takes at most {most}"),
    })
}
