//! Requests as an enclave makes them, and the queue that they come through.

use std::collections::BTreeMap;

use attestation::{At, Root, verify};
use aws_nitro_enclaves_nsm_api::api::{Digest, ErrorCode, Request, Response};
use nsm_emulator::{NsmEmulator, TestRoot};
use serde_bytes::ByteBuf;

use vhost_user_backend::VhostUserBackendMut;
use vmm_sys_util::epoll::EventSet;

use super::NsmDevice;
use super::request::{MAX_REQUEST, answer};
use crate::ring::{Piece, Ring, memory};

fn module(root: &TestRoot) -> NsmEmulator {
    NsmEmulator::new(root.issue_signer().unwrap(), BTreeMap::from([(0, [7; 48])]))
}

fn ask(module: &NsmEmulator, request: &Request) -> Response {
    let mut bytes = Vec::new();
    ciborium::into_writer(request, &mut bytes).unwrap();
    ciborium::from_reader(answer(module, &bytes).as_slice()).unwrap()
}

fn attestation(user_data: usize, nonce: usize, public_key: usize) -> Request {
    let of = |length| Some(ByteBuf::from(vec![1; length]));
    Request::Attestation {
        user_data: of(user_data),
        nonce: of(nonce),
        public_key: of(public_key),
    }
}

#[test]
fn the_bytes_are_those_that_the_linux_driver_exchanges() {
    let module = module(&TestRoot::generate().unwrap());
    // The driver's hwrng sends this text, and looks for these first bytes (drivers/misc/nsm.c).
    let random = answer(&module, b"\x69GetRandom");
    assert!(
        random.starts_with(b"\xa1\x69GetRandom\xa1\x66random\x59\x01\x00"),
        "and 256 bytes"
    );
    assert_eq!(random.len(), 22 + 256);
    let locked = answer(&module, b"\xa1\x67LockPCR\xa1\x65index\x10");
    assert_eq!(locked, b"\x67LockPCR");
}

#[test]
fn describes_itself() {
    let module = module(&TestRoot::generate().unwrap());
    let Response::DescribeNSM {
        max_pcrs,
        locked_pcrs,
        digest,
        module_id,
        ..
    } = ask(&module, &Request::DescribeNSM)
    else {
        panic!("another answer");
    };
    assert_eq!((max_pcrs, digest), (32, Digest::SHA384));
    assert_eq!(locked_pcrs, (0..16).collect());
    assert!(module_id.contains("-enc"));
    assert!(matches!(
        ask(&module, &Request::DescribePCR { index: 0 }),
        Response::DescribePCR { lock: true, data } if data == [7; 48]
    ));
    assert!(matches!(
        ask(&module, &Request::DescribePCR { index: 16 }),
        Response::DescribePCR { lock: false, data } if data == [0; 48]
    ));
}

#[test]
fn registers_are_extended_until_they_are_locked() {
    let module = module(&TestRoot::generate().unwrap());
    let extend = |index| {
        ask(
            &module,
            &Request::ExtendPCR {
                index,
                data: b"abc".to_vec(),
            },
        )
    };
    let Response::ExtendPCR { data } = extend(16) else {
        panic!("refused")
    };
    assert!(matches!(
        ask(&module, &Request::DescribePCR { index: 16 }),
        Response::DescribePCR { data: now, .. } if now == data && data != [0; 48]
    ));
    assert!(matches!(
        ask(&module, &Request::LockPCR { index: 16 }),
        Response::LockPCR
    ));
    assert!(matches!(
        ask(&module, &Request::LockPCRs { range: 20 }),
        Response::LockPCRs
    ));
    for locked in [0, 15, 16, 19] {
        assert!(
            matches!(extend(locked), Response::Error(ErrorCode::ReadOnlyIndex)),
            "{locked}"
        );
    }
    assert!(matches!(extend(20), Response::ExtendPCR { .. }));
}

#[test]
fn what_does_not_exist_is_refused_by_the_modules_codes() {
    let module = module(&TestRoot::generate().unwrap());
    for index in [32, 256, u16::MAX] {
        for request in [
            Request::DescribePCR { index },
            Request::ExtendPCR {
                index,
                data: Vec::new(),
            },
            Request::LockPCR { index },
            Request::LockPCRs {
                range: index.saturating_add(1),
            },
        ] {
            let response = ask(&module, &request);
            assert!(
                matches!(response, Response::Error(ErrorCode::InvalidIndex)),
                "{request:?}"
            );
        }
    }
    for nonsense in [&b""[..], b"\x66Reboot", b"\xa1", &[0xff; 100]] {
        let response = ciborium::from_reader(answer(&module, nonsense).as_slice()).unwrap();
        assert!(
            matches!(response, Response::Error(ErrorCode::InvalidArgument)),
            "{nonsense:?}"
        );
    }
    let response = answer(&module, &vec![0; MAX_REQUEST + 1]);
    let response = ciborium::from_reader(response.as_slice()).unwrap();
    assert!(matches!(
        response,
        Response::Error(ErrorCode::InputTooLarge)
    ));
}

#[test]
fn documents_verify_and_have_the_modules_limits() {
    let root = TestRoot::generate().unwrap();
    let module = module(&root);
    let Response::Attestation { document } = ask(&module, &attestation(512, 512, 1024)) else {
        panic!("refused at the limits");
    };
    let root = Root::from_pem(&root.certificate_pem()).unwrap();
    let verified = verify(&document, &root, At::Document).unwrap();
    assert_eq!(verified.public_key, Some(vec![1; 1024]));
    assert_eq!(verified.pcrs.len(), 16);
    for (user_data, nonce, public_key) in [(513, 0, 0), (0, 513, 0), (0, 0, 1025)] {
        assert!(matches!(
            ask(&module, &attestation(user_data, nonce, public_key)),
            Response::Error(ErrorCode::InputTooLarge)
        ));
    }
}

/// The device with its queue, started after the driver has queued what `early` says.
fn device(early: impl FnOnce(&mut Ring)) -> (NsmDevice, Ring) {
    let memory = memory();
    let mut ring = Ring::new(&memory, 0);
    early(&mut ring);
    let device = NsmDevice::new(module(&TestRoot::generate().unwrap()), memory);
    (device, ring)
}

fn serve(device: &mut NsmDevice, ring: &Ring) {
    let vrings = [ring.vring.clone()];
    device.handle_event(0, EventSet::IN, &vrings, 0).unwrap();
}

#[test]
fn request_and_response_are_two_chains_that_come_back_in_order() {
    let (mut device, mut ring) = device(|_| {});
    let request = ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
    serve(&mut device, &ring);
    assert_eq!(ring.used(), [], "no response without a buffer for it");
    let response = ring.add(&[Piece::Room(0x3000)]);
    serve(&mut device, &ring);
    assert_eq!(ring.used(), [(request, 0), (response, 278)]);
    let bytes = ring.read(response, 278);
    let random = ciborium::from_reader(bytes.as_slice()).unwrap();
    assert!(matches!(random, Response::GetRandom { random } if random.len() == 256));
}

#[test]
fn what_was_queued_before_the_start_is_answered_then() {
    let (mut device, ring) = device(|ring| {
        ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
        ring.add(&[Piece::Room(0x3000)]);
        ring.add(&[Piece::Bytes(b"\x6bDescr"), Piece::Bytes(b"ibeNSM")]);
        ring.add(&[Piece::Room(0x3000)]);
    });
    serve(&mut device, &ring);
    let heads: Vec<u16> = ring.used().into_iter().map(|(head, _)| head).collect();
    assert_eq!(heads, [0, 1, 2, 4]);
    let (_, length) = ring.used()[3];
    let bytes = ring.read(4, length);
    let description = ciborium::from_reader(bytes.as_slice()).unwrap();
    assert!(
        matches!(description, Response::DescribeNSM { .. }),
        "a request in two pieces"
    );
}

#[test]
fn a_response_that_does_not_fit_is_told_so() {
    let (mut device, mut ring) = device(|ring| {
        ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
        ring.add(&[Piece::Room(100)]);
    });
    serve(&mut device, &ring);
    let (head, length) = ring.used()[1];
    let error = ciborium::from_reader(ring.read(head, length).as_slice()).unwrap();
    assert!(matches!(error, Response::Error(ErrorCode::BufferTooSmall)));
    // Not even that fits.
    ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
    ring.add(&[Piece::Room(1)]);
    ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
    ring.add(&[Piece::Room(0x3000)]);
    serve(&mut device, &ring);
    assert_eq!(
        ring.used()[2..],
        [(2, 0), (3, 0), (4, 0), (5, 278)],
        "the device goes on"
    );
}

#[test]
fn a_device_that_stopped_forgets_half_an_exchange() {
    let (mut device, mut ring) = device(|ring| {
        ring.add(&[Piece::Bytes(b"\x69GetRandom")]);
    });
    serve(&mut device, &ring);
    device.stop_vring(0).unwrap();
    let buffer = ring.add(&[Piece::Room(0x3000)]);
    serve(&mut device, &ring);
    assert_eq!(ring.used(), [], "{buffer} has no request");
}
