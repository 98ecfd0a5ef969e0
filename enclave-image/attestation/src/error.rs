//! Why a document or a root is refused.

use x509_parser::time::ASN1Time;

/// Why a document is not believed; each text is one line, and holds nothing of an unverified document but lengths and times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not a document at all.
    #[error("the attestation document is malformed: {0}")]
    Malformed(&'static str),
    /// A member that breaks the format's limits.
    #[error("the attestation document is malformed: {field} is {found}, allowed: {allowed}")]
    Member {
        /// Name as in AWS's text.
        field: &'static str,
        /// Kind and length of what was found.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The signature is not the leaf certificate's.
    #[error("the attestation document's signature is invalid")]
    Signature,
    /// The chain does not lead to the root.
    #[error("the attestation document's certificate chain is invalid: {0}")]
    Chain(&'static str),
    /// A certificate of the chain is not valid at the time of the judgement; all three in seconds since 1970.
    #[error(
        "the attestation document's certificate chain is invalid: a certificate is not valid at {}: it is valid from {} to {}",
        utc(*at), utc(*from), utc(*until)
    )]
    Validity {
        /// The time of the judgement.
        at: i64,
        /// The certificate's first second.
        from: i64,
        /// The certificate's last second.
        until: i64,
    },
    /// Outside the window of time; the age in seconds, negative where the document is from the future.
    #[error("the attestation document is not fresh: it is {0} seconds old")]
    Stale(i64),
}

impl Rejected {
    /// Whether the bytes are no document of this format, and so nobody's: there was nothing to verify.
    pub const fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Member { .. })
    }
}

/// Why a text is no root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// No block of PEM, more than one, or one of another kind.
    #[error("not PEM: {0}; give one block of BEGIN CERTIFICATE")]
    Pem(String),
    /// Not a certificate that chains of Nitro begin with.
    #[error("not a P-384 certificate: {0}")]
    Certificate(Rejected),
}

/// `2026-11-26T09:08:07Z`, from seconds since 1970.
fn utc(seconds: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(seconds) else {
        return format!("{seconds} s after 1970");
    };
    let time = time.to_datetime();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_whatever_they_are() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(1_795_424_887), "2026-11-23T09:08:07Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
        assert_eq!(utc(i64::MAX), "9223372036854775807 s after 1970");
    }
}
