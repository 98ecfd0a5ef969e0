//! Writing BER: the few types that an envelope has, in definite and indefinite lengths.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const CONTEXT_0: u8 = 0x80;
pub(crate) const CONTEXT_1: u8 = 0x81;
pub(crate) const CONSTRUCTED: u8 = 0x20;

/// Tag, definite length in the fewest bytes, content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = content.len().to_be_bytes();
            let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            // At most eight bytes, so the count always fits beside the long-form bit.
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of definite length.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// Tag, indefinite length, parts, end-of-contents octets.
pub(crate) fn indefinite(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![tag, 0x80];
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&[0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_fewest_bytes() {
        assert_eq!(tlv(NULL, &[]), [5, 0]);
        assert_eq!(tlv(OCTET_STRING, &[1; 127])[..2], [4, 127]);
        assert_eq!(tlv(OCTET_STRING, &[1; 128])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(OCTET_STRING, &[1; 256])[..4], [4, 0x82, 1, 0]);
    }
}
