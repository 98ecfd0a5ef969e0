//! The rules of fields that several formats have, and their lengths.

use crate::FormatError;

/// `ChamberEnclaveRole-<cluster id>` has to fit into IAM's 64 characters.
pub const MAX_CLUSTER_ID: usize = 45;
/// Longer than any key ARN that AWS hands out (about 90 characters).
pub const MAX_KEY_ARN: usize = 256;
/// Shares of one master key at most.
pub const MAX_SHARES: u8 = 10;

/// 1 to 45 of `a-z`, `0-9` and `-`.
pub fn check_cluster_id(document: &'static str, id: &str) -> Result<(), FormatError> {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if !id.is_empty() && id.len() <= MAX_CLUSTER_ID && id.bytes().all(plain) {
        return Ok(());
    }
    Err(FormatError::field(
        document,
        "cluster id",
        format!("{id:?}"),
        "1 to 45 characters of a-z, 0-9 and '-'",
    ))
}

/// 1 to 256 printable ASCII characters.
pub fn check_key_arn(document: &'static str, arn: &str) -> Result<(), FormatError> {
    if !arn.is_empty() && arn.len() <= MAX_KEY_ARN && arn.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(FormatError::field(
        document,
        "key ARN",
        format!("{arn:?}"),
        "1 to 256 printable ASCII characters",
    ))
}

/// 1 to 10 shares, 1 to all of them as the threshold.
pub fn check_scheme(document: &'static str, threshold: u8, count: u8) -> Result<(), FormatError> {
    if count == 0 || count > MAX_SHARES {
        return Err(FormatError::field(
            document,
            "share count",
            count,
            "1 to 10",
        ));
    }
    if threshold == 0 || threshold > count {
        return Err(FormatError::field(
            document,
            "threshold",
            threshold,
            "1 to the number of shares",
        ));
    }
    Ok(())
}

/// One byte of length, then the bytes.
pub fn put_short(
    out: &mut Vec<u8>,
    document: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<(), FormatError> {
    let length = u8::try_from(bytes.len()).map_err(|_| {
        FormatError::field(
            document,
            field,
            format!("{} bytes", bytes.len()),
            "at most 255 bytes",
        )
    })?;
    out.push(length);
    out.extend_from_slice(bytes);
    Ok(())
}

/// Two bytes of length, then the bytes.
pub fn put_long(
    out: &mut Vec<u8>,
    document: &'static str,
    field: &'static str,
    bytes: &[u8],
) -> Result<(), FormatError> {
    let length = u16::try_from(bytes.len()).map_err(|_| {
        FormatError::field(
            document,
            field,
            format!("{} bytes", bytes.len()),
            "at most 65535 bytes",
        )
    })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
