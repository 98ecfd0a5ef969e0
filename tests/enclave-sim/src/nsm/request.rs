//! Requests and responses: CBOR of `aws-nitro-enclaves-nsm-api`, as the Linux driver passes them on.

use aws_nitro_enclaves_nsm_api::api::{Digest, ErrorCode, Request, Response};
use nsm_emulator::{AttestRequest, NsmEmulator, NsmError, REGISTERS};
use serde_bytes::ByteBuf;

/// Bytes of a request at most: the driver's `NSM_REQUEST_MAX_SIZE`.
pub const MAX_REQUEST: usize = 0x1000;
/// Random bytes of one answer.
const RANDOM: usize = 256;
/// The version that the module tells, as enclaves on Nitro saw it.
const VERSION: (u16, u16, u16) = (1, 0, 0);

/// What the module answers to one request: CBOR of a `Response`, which for what it refuses is an `Error`.
pub fn answer(module: &NsmEmulator, request: &[u8]) -> Vec<u8> {
    let response = if request.len() > MAX_REQUEST {
        Response::Error(ErrorCode::InputTooLarge)
    } else {
        ciborium::from_reader(request).map_or(
            Response::Error(ErrorCode::InvalidArgument),
            |request: Request| perform(module, request),
        )
    };
    encode(&response)
}

/// A response that does not fit into what the enclave has for it.
pub fn too_small() -> Vec<u8> {
    encode(&Response::Error(ErrorCode::BufferTooSmall))
}

fn encode(response: &Response) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory does not fail; an empty response is what the driver calls invalid.
    if let Err(error) = ciborium::into_writer(response, &mut bytes) {
        tracing::error!("a response cannot be written as CBOR: {error}");
        bytes.clear();
    }
    bytes
}

fn perform(module: &NsmEmulator, request: Request) -> Response {
    let done = match request {
        Request::DescribeNSM => Ok(describe(module)),
        Request::DescribePCR { index } => describe_pcr(module, index),
        Request::ExtendPCR { index, data } => extend(module, index, &data),
        Request::LockPCR { index } => register(index)
            .and_then(|at| module.lock(at))
            .map(|()| Response::LockPCR),
        Request::LockPCRs { range } => module.lock_below(range).map(|()| Response::LockPCRs),
        Request::GetRandom => random(module),
        Request::Attestation {
            user_data,
            nonce,
            public_key,
        } => attest(
            module,
            &AttestRequest {
                public_key: public_key.map(ByteBuf::into_vec),
                user_data: user_data.map(ByteBuf::into_vec),
                nonce: nonce.map(ByteBuf::into_vec),
                timestamp_ms: None,
            },
        ),
        _ => return Response::Error(ErrorCode::InvalidOperation),
    };
    done.unwrap_or_else(|error| {
        tracing::debug!("refused: {error}");
        Response::Error(code(&error))
    })
}

fn describe(module: &NsmEmulator) -> Response {
    let (version_major, version_minor, version_patch) = VERSION;
    Response::DescribeNSM {
        version_major,
        version_minor,
        version_patch,
        module_id: module.module_id().to_owned(),
        max_pcrs: REGISTERS.into(),
        locked_pcrs: module.locked().into_iter().map(u16::from).collect(),
        digest: Digest::SHA384,
    }
}

fn describe_pcr(module: &NsmEmulator, index: u16) -> Result<Response, NsmError> {
    let at = register(index)?;
    Ok(Response::DescribePCR {
        lock: module.locked().contains(&at),
        data: module.pcr(at)?.to_vec(),
    })
}

fn extend(module: &NsmEmulator, index: u16, data: &[u8]) -> Result<Response, NsmError> {
    let data = module.extend(register(index)?, data)?.to_vec();
    Ok(Response::ExtendPCR { data })
}

fn random(module: &NsmEmulator) -> Result<Response, NsmError> {
    let mut random = vec![0; RANDOM];
    module.random(&mut random)?;
    Ok(Response::GetRandom { random })
}

fn attest(module: &NsmEmulator, request: &AttestRequest) -> Result<Response, NsmError> {
    let document = module.attest(request)?;
    Ok(Response::Attestation { document })
}

/// The emulator's index of a register; the module's indices have 16 bits.
fn register(index: u16) -> Result<u8, NsmError> {
    u8::try_from(index).map_err(|_| NsmError::InvalidIndex(u8::MAX))
}

fn code(error: &NsmError) -> ErrorCode {
    match error {
        NsmError::TooLarge { .. } => ErrorCode::InputTooLarge,
        NsmError::InvalidIndex(_) | NsmError::InvalidRange(_) => ErrorCode::InvalidIndex,
        NsmError::ReadOnlyIndex(_) => ErrorCode::ReadOnlyIndex,
        _ => ErrorCode::InternalError,
    }
}
