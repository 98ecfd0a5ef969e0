//! The security module's CBOR: judged by AWS's own types, answered by the emulator.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use attestation::{At, Root};
use aws_nitro_enclaves_nsm_api::api::{ErrorCode, Request, Response};
use enclave::nsm::{Module, Transport};
use measurement::Pcr;
use nsm_emulator::{AttestRequest, NsmEmulator, TestRoot};
use proptest::prelude::*;
use unseal_agent::{DocumentContent, Nsm};

/// The emulator behind AWS's types.
pub struct Emulated {
    emulator: NsmEmulator,
    /// The module's clock, milliseconds since 1970; 0 is this machine's.
    unix_ms: Arc<AtomicU64>,
}

impl Transport for Emulated {
    fn exchange(&self, request: &[u8], answer: &mut [u8]) -> io::Result<usize> {
        let request: Request = ciborium::from_reader(request).unwrap();
        Ok(write(&self.answer(request), answer))
    }
}

fn write(response: &Response, answer: &mut [u8]) -> usize {
    let mut bytes = Vec::new();
    ciborium::into_writer(response, &mut bytes).unwrap();
    answer[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
}

impl Emulated {
    fn answer(&self, request: Request) -> Response {
        let index = |index: u16| u8::try_from(index).unwrap();
        let answered = match request {
            Request::DescribePCR { index: at } => {
                let value = self.emulator.pcr(index(at));
                value.map(|value| Response::DescribePCR {
                    lock: at < 16,
                    data: value.to_vec(),
                })
            }
            Request::ExtendPCR { index: at, data } => {
                let value = self.emulator.extend(index(at), &data);
                value.map(|value| Response::ExtendPCR {
                    data: value.to_vec(),
                })
            }
            Request::LockPCR { index: at } => {
                self.emulator.lock(index(at)).map(|()| Response::LockPCR)
            }
            Request::Attestation {
                user_data,
                nonce,
                public_key,
            } => {
                let request = AttestRequest {
                    public_key: public_key.map(|bytes| bytes.to_vec()),
                    user_data: user_data.map(|bytes| bytes.to_vec()),
                    nonce: nonce.map(|bytes| bytes.to_vec()),
                    timestamp_ms: Some(self.unix_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0),
                };
                let document = self.emulator.attest(&request);
                document.map(|document| Response::Attestation { document })
            }
            Request::GetRandom => {
                let mut random = vec![0; 256];
                self.emulator
                    .random(&mut random)
                    .map(|()| Response::GetRandom { random })
            }
            other => panic!("{other:?}"),
        };
        answered.unwrap_or_else(|error| {
            Response::Error(match error {
                nsm_emulator::NsmError::InvalidIndex(_) => ErrorCode::InvalidIndex,
                nsm_emulator::NsmError::ReadOnlyIndex(_) => ErrorCode::ReadOnlyIndex,
                nsm_emulator::NsmError::TooLarge { .. } => ErrorCode::InputTooLarge,
                _ => ErrorCode::InternalError,
            })
        })
    }
}

pub fn emulated(root: &TestRoot, image: Pcr) -> Module<Emulated> {
    let signer = root.issue_signer().unwrap();
    let registers = BTreeMap::from([(0, *image.as_bytes())]);
    let emulator = NsmEmulator::new(signer, registers);
    Module::new(Emulated {
        emulator,
        unix_ms: Arc::default(),
    })
}

/// The same with a clock that the test sets.
pub fn with_clock(root: &TestRoot, unix_ms: &Arc<AtomicU64>) -> Module<Emulated> {
    let signer = root.issue_signer().unwrap();
    Module::new(Emulated {
        emulator: NsmEmulator::new(signer, BTreeMap::new()),
        unix_ms: Arc::clone(unix_ms),
    })
}

#[test]
fn every_request_is_what_awss_types_read_and_every_answer_what_they_write() {
    let root = TestRoot::generate().unwrap();
    let image = Pcr::from_bytes([7; 48]);
    let nsm = emulated(&root, image);
    assert_eq!(nsm.pcr(0).unwrap(), image);
    nsm.extend(16, b"manifest").unwrap();
    assert!(!nsm.pcr(16).unwrap().is_zero());
    nsm.lock(16).unwrap();
    let locked = nsm.extend(16, b"again").unwrap_err().to_string();
    assert!(locked.contains("ExtendPCR: ReadOnlyIndex"), "{locked}");
    let unknown = nsm.pcr(32).unwrap_err().to_string();
    assert!(unknown.contains("DescribePCR: InvalidIndex"), "{unknown}");
    let mut random = [0; 1000];
    nsm.random(&mut random).unwrap();
    assert!(random.chunks(8).all(|chunk| chunk != [0; 8]));
    let content = DocumentContent {
        public_key: Some(vec![1; 1024]),
        user_data: Some(vec![2; 512]),
        nonce: Some(Vec::new()),
    };
    let document = nsm.attestation_document(content.clone()).unwrap();
    let root = Root::from_pem(&root.certificate_pem()).unwrap();
    let verified = attestation::verify(&document, &root, At::Document).unwrap();
    assert_eq!(verified.public_key, content.public_key);
    assert_eq!(verified.user_data, content.user_data);
    assert_eq!(verified.nonce, content.nonce);
    assert_eq!(verified.pcrs[&0], image);
}

#[test]
fn what_is_too_long_is_refused_before_the_module_is_asked() {
    let nsm = Module::new(Fixed::answer(&Response::GetRandom { random: vec![1] }));
    let long = |content| nsm.attestation_document(content).unwrap_err().what;
    let public_key = Some(vec![0; 1025]);
    assert_eq!(
        long(DocumentContent {
            public_key,
            ..DocumentContent::default()
        }),
        "public_key has 1025 bytes, the module takes at most 1024"
    );
    let nonce = Some(vec![0; 513]);
    assert_eq!(
        long(DocumentContent {
            nonce,
            ..DocumentContent::default()
        }),
        "nonce has 513 bytes, the module takes at most 512"
    );
    let extended = nsm.extend(16, &[0; 5000]).unwrap_err().what;
    assert!(extended.ends_with("the module takes 4096"), "{extended}");
    let one = nsm.random(&mut [0; 3]);
    assert!(one.is_ok(), "as many requests as it needs: {one:?}");
}

/// A module that always answers the same.
struct Fixed(Mutex<Vec<u8>>);

impl Fixed {
    fn bytes(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }

    fn answer(response: &Response) -> Self {
        let mut bytes = Vec::new();
        ciborium::into_writer(response, &mut bytes).unwrap();
        Self::bytes(bytes)
    }
}

impl Transport for Fixed {
    fn exchange(&self, _: &[u8], answer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        answer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

#[test]
fn every_error_code_has_its_sentence() {
    for (code, sentence) in [
        (ErrorCode::Success, "Success: an error without a fault"),
        (ErrorCode::InvalidArgument, "InvalidArgument: it does not"),
        (ErrorCode::InvalidIndex, "InvalidIndex: there is no such"),
        (ErrorCode::InvalidResponse, "InvalidResponse: the answer"),
        (ErrorCode::ReadOnlyIndex, "ReadOnlyIndex: the register is"),
        (ErrorCode::InvalidOperation, "InvalidOperation: it cannot"),
        (ErrorCode::BufferTooSmall, "BufferTooSmall: the answer"),
        (ErrorCode::InputTooLarge, "InputTooLarge: the request"),
        (ErrorCode::InternalError, "InternalError: a fault inside"),
    ] {
        let nsm = Module::new(Fixed::answer(&Response::Error(code)));
        let said = nsm.pcr(0).unwrap_err();
        assert_eq!(said.request, "DescribePCR");
        assert!(said.what.starts_with(sentence), "{}", said.what);
    }
}

#[test]
fn an_answer_that_is_none_is_told_apart() {
    let said = |bytes: Vec<u8>| Module::new(Fixed::bytes(bytes)).pcr(0).unwrap_err().what;
    let of = |response: &Response| {
        let nsm = Module::new(Fixed::answer(response));
        nsm.pcr(0).unwrap_err().what
    };
    assert_eq!(said(Vec::new()), "its answer is not CBOR");
    assert_eq!(said(vec![0x01]), "its answer is neither a name nor a map");
    assert_eq!(said(vec![0xa0]), "its answer is not one member");
    assert_eq!(said(vec![0x01, 0x01]), "bytes follow its answer");
    assert_eq!(of(&Response::LockPCR), "it answered another request");
    let random = Response::GetRandom { random: vec![1] };
    assert_eq!(of(&random), "it answered another request");
    let short = Response::DescribePCR {
        lock: true,
        data: vec![0; 32],
    };
    assert_eq!(
        of(&short),
        "its answer is not as it should be: data has 32 bytes, expected 48 to 48"
    );
    let empty = Module::new(Fixed::answer(&Response::GetRandom { random: Vec::new() }));
    let empty = empty.random(&mut [0; 8]).unwrap_err().what;
    assert!(empty.contains("random has 0 bytes"), "{empty}");
}

#[test]
fn a_driver_that_fails_or_lies_about_the_length_is_an_error() {
    struct Failing;
    impl Transport for Failing {
        fn exchange(&self, _: &[u8], _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(90))
        }
    }
    struct Lying;
    impl Transport for Lying {
        fn exchange(&self, _: &[u8], answer: &mut [u8]) -> io::Result<usize> {
            Ok(answer.len() + 1)
        }
    }
    let failed = Module::new(Failing).pcr(0).unwrap_err().to_string();
    assert!(failed.contains("Message too long"), "{failed}");
    let lied = Module::new(Lying).pcr(0).unwrap_err().what;
    assert_eq!(lied, "it claims to answer 12289 bytes");
}

proptest! {
    #[test]
    fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let nsm = Module::new(Fixed::bytes(bytes));
        let _ = nsm.pcr(0);
        let _ = nsm.attestation_document(DocumentContent::default());
    }
}
