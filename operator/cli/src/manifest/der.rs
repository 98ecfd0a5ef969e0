//! ECDSA signatures: from DER, as KMS and openssl write them, to r and s of fixed length.

/// Bytes of r, and of s, on P-384.
const SCALAR: usize = 48;

/// `r | s` of a DER `ECDSA-Sig-Value` on P-384; `None` for any other bytes.
pub fn fixed(der: &[u8]) -> Option<Vec<u8>> {
    let (numbers, rest) = element(0x30, der)?;
    let (r, numbers) = element(0x02, numbers)?;
    let (s, end) = element(0x02, numbers)?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    Some([scalar(r)?, scalar(s)?].concat())
}

/// Content and rest; lengths here are below 128, and so one byte.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *found != tag || *length > 0x7f {
        return None;
    }
    rest.split_at_checked(usize::from(*length))
}

/// A positive integer, filled up with zeros in front.
fn scalar(number: &[u8]) -> Option<[u8; SCALAR]> {
    let digits = match number {
        [0, rest @ ..] => rest,
        [0x80..=0xff, ..] | [] => return None,
        all => all,
    };
    let mut out = [0; SCALAR];
    let start = SCALAR.checked_sub(digits.len())?;
    out[start..].copy_from_slice(digits);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_filled_up_and_signs_are_taken_off() {
        let full = [&[0x02, 49, 0][..], &[0xaa; 48]].concat();
        let short = [0x02, 2, 0x01, 0x02];
        let der = [&[0x30, 55][..], &full, &short].concat();
        let fixed = fixed(&der).unwrap();
        assert_eq!(fixed[..48], [0xaa; 48]);
        assert_eq!(fixed[48..94], [0; 46]);
        assert_eq!(fixed[94..], [0x01, 0x02]);
    }

    #[test]
    fn other_bytes_are_refused() {
        let two = |r: &[u8], s: &[u8]| {
            let number = |n: &[u8]| [&[0x02, u8::try_from(n.len()).unwrap()], n].concat();
            let content = [number(r), number(s)].concat();
            [
                &[0x30, u8::try_from(content.len()).unwrap()],
                content.as_slice(),
            ]
            .concat()
        };
        assert!(fixed(&two(&[1], &[1])).is_some());
        for der in [
            vec![],
            two(&[], &[1]),
            two(&[0x80], &[1]),
            two(&[1; 49], &[1]),
            [two(&[1], &[1]), vec![0]].concat(),
            two(&[1], &[1])[..7].to_vec(),
            vec![0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
        ] {
            assert_eq!(fixed(&der), None, "{der:?}");
        }
    }
}
