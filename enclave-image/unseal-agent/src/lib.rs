//! The agent inside the enclave: attests, unseals, hands the master key over.
//!
//! [`run`] is the whole agent. What differs between a real enclave and its stand-in comes in from outside: the stream
//! to the host, the security module ([`Nsm`]), the way to KMS ([`Kms`]), what the image believes ([`Trust`]) and the
//! program that gets the key ([`Workload`]). One turn of it is an [`Attempt`]; [`seal`] makes the first blob,
//! [`rewrap`] that of the next generation.

mod agent;
mod attempt;
mod backoff;
mod credentials;
mod envelope;
mod gate;
mod kms;
mod nsm;
mod outer;
mod recipient;
mod rest;
mod rewrap;
mod run;
mod sdk;
mod seal;
mod tools;
mod trust;
mod unseal;
mod workload;
mod wrap;

pub use attempt::{Attempt, ShareReport};
pub use backoff::Backoff;
pub use credentials::LinkCredentials;
pub use envelope::open as open_envelope;
pub use kms::{
    DecryptReply, DecryptRequest, EncryptReply, EncryptRequest, Kms, KmsFault, classify,
};
pub use nsm::{DocumentContent, Nsm, NsmError};
pub use recipient::{EnvelopeError, RecipientKey};
pub use rewrap::{RewrapError, rewrap};
pub use run::{AgentError, run};
pub use sdk::{SdkKms, config};
pub use seal::{SealError, seal};
pub use tools::Tools;
pub use trust::{Authorization, Trust, TrustError};
pub use workload::Workload;
pub use wrap::{Sealed, WrapError};
