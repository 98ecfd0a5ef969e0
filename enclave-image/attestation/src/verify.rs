//! The verifier: form, chain, signature.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use measurement::Pcr;

use crate::certificate::{Certificate, Role};
use crate::document::Document;
use crate::{Rejected, Root};

/// The time at which certificates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The document's own timestamp.
    ///
    /// It proves that AWS's module once signed this, and nothing about when: an old document passes as well as a new
    /// one, so whoever judges so needs a nonce, or binds the content otherwise, or asks [`Verified::check_fresh`].
    Document,
    /// This time, in milliseconds since 1970. Leaf certificates live about three hours.
    Time(i64),
}

/// What a verified document proves about the enclave that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The module's id: `i-<instance>-enc<enclave>`.
    pub module_id: String,
    /// When the module signed, in milliseconds since 1970; positive.
    pub timestamp_ms: i64,
    /// The registers by index (0 to 31), as attested; zero ones are there where the module listed them.
    pub pcrs: BTreeMap<u8, Pcr>,
    /// The enclave's public key as it gave it, 1 to 1024 bytes; AWS does not say in which form.
    pub public_key: Option<Vec<u8>>,
    /// The enclave's own bytes, at most 512; see [`crate::Claims`] for ours.
    pub user_data: Option<Vec<u8>>,
    /// What whoever asked wants to see again, at most 512 bytes.
    pub nonce: Option<Vec<u8>>,
}

/// Believes a document or says why not.
///
/// The root is ours: what the document has in its place must be the same bytes. What is not checked: revocation lists
/// (AWS's text turns them off), freshness, debug mode, and whether the registers are anybody's in particular.
pub fn verify(bytes: &[u8], root: &Root, at: At) -> Result<Verified, Rejected> {
    let document = Document::parse(bytes)?;
    let at_ms = match at {
        At::Document => document.timestamp_ms,
        At::Time(ms) => ms,
    };
    let leaf = Certificate::parse(&document.certificate)?;
    verify_chain(root, &document.cabundle, &leaf, at_ms.div_euclid(1000))?;
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, leaf.public_key())
        .verify(&document.signed_bytes, &document.signature)
        .map_err(|_| Rejected::Signature)?;
    Ok(Verified {
        module_id: document.module_id,
        timestamp_ms: document.timestamp_ms,
        pcrs: document.pcrs,
        public_key: document.public_key,
        user_data: document.user_data,
        nonce: document.nonce,
    })
}

/// Root, intermediates, leaf, each judged at `at` (seconds since 1970).
fn verify_chain(
    root: &Root,
    cabundle: &[Vec<u8>],
    leaf: &Certificate<'_>,
    at: i64,
) -> Result<(), Rejected> {
    let (first, intermediates) = cabundle
        .split_first()
        .ok_or(Rejected::Malformed("cabundle is empty"))?;
    if first != root.der() {
        return Err(Rejected::Chain("its root is not the one trusted here"));
    }
    let mut issuer = Certificate::parse(root.der())?;
    let below = intermediates.len();
    issuer.check_validity(at)?;
    issuer.check_role(&Role::Authority { below })?;
    for (index, der) in intermediates.iter().enumerate() {
        let next = Certificate::parse(der)?;
        let below = intermediates.len() - index - 1;
        next.check_validity(at)?;
        next.check_role(&Role::Authority { below })?;
        next.check_issued_by(&issuer)?;
        issuer = next;
    }
    leaf.check_validity(at)?;
    leaf.check_role(&Role::Leaf)?;
    leaf.check_issued_by(&issuer)
}

impl Verified {
    /// Whether the enclave ran in debug mode, where the parent instance reads its console: such a document proves no image.
    ///
    /// Debug mode zeroes the registers 0, 1, 2 and 8, and not 3 and 4. No image has a PCR0 of zeros; a document
    /// without PCR0 is taken for one in debug mode.
    pub fn debug(&self) -> bool {
        self.pcrs.get(&0).is_none_or(Pcr::is_zero)
    }

    /// The parent instance, `i-...`, where the module's id has the form `i-<instance>-enc<enclave>` of hex digits.
    pub fn instance(&self) -> Option<&str> {
        let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        let (instance, enclave) = self.module_id.split_once("-enc")?;
        (hex(instance.strip_prefix("i-")?) && hex(enclave)).then_some(instance)
    }

    /// Refuses a document older than `max_age_s` seconds at `now_ms` (milliseconds since 1970), or as far in the future,
    /// which is as suspicious. AWS documents no limit of its own.
    pub fn check_fresh(&self, now_ms: i64, max_age_s: u64) -> Result<(), Rejected> {
        let age = now_ms.saturating_sub(self.timestamp_ms) / 1000;
        if age.unsigned_abs() > max_age_s {
            return Err(Rejected::Stale(age));
        }
        Ok(())
    }
}
