//! Names with wildcards that mind no case: those of actions.

use super::pattern::Pattern;
use super::wildcard::whole;

/// Whether a pattern matches a text, whatever the case of both. Without allocation where the text is ASCII, as names
/// of actions are compared all the time.
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    // Nearly all actions are of one service, and differ in the first letter behind its name.
    let behind = (pattern.as_bytes().get(4), text.as_bytes().get(4));
    if let (Some(piece), Some(byte)) = behind
        && !piece.eq_ignore_ascii_case(byte)
        && !is_wild(*piece)
        && pattern.starts_with("kms:")
    {
        return false;
    }
    let service = (pattern.strip_prefix("kms:"), text.strip_prefix("kms:"));
    let (pattern, text) = match service {
        (Some(pattern), Some(text)) => (pattern, text),
        _ => (pattern, text),
    };
    let pairs = pattern.bytes().zip(text.bytes());
    let literal = |(piece, byte): &(u8, u8)| {
        !is_wild(*piece) && (piece == byte || piece.eq_ignore_ascii_case(byte))
    };
    let same = pairs.take_while(literal).count();
    match pattern.as_bytes().get(same..) {
        None | Some([]) => return pattern.len() == text.len(),
        Some([b'*']) => return true,
        Some([piece, ..]) if !is_wild(*piece) => return false,
        Some(_) => {}
    }
    if text.is_ascii() {
        return ascii_matches(&pattern.as_bytes()[same..], &text.as_bytes()[same..]);
    }
    Pattern::plain(&pattern.to_ascii_lowercase()).matches(&text.to_ascii_lowercase())
}

fn is_wild(piece: u8) -> bool {
    matches!(piece, b'*' | b'?')
}

/// A character of the text is a byte; bytes of other characters in the pattern equal none.
fn ascii_matches(pattern: &[u8], text: &[u8]) -> bool {
    let fits = |piece: &u8, byte: &u8| *piece == b'?' || piece.eq_ignore_ascii_case(byte);
    whole(pattern, text, |piece| *piece == b'*', fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_of_matching_agree(pattern in "(kms:)?[aBk\u{212a}*?:]{0,8}", text in "(kms:)?[AbK\u{212a}:]{0,8}") {
            let slow = Pattern::plain(&pattern.to_ascii_lowercase()).matches(&text.to_ascii_lowercase());
            prop_assert_eq!(matches_ignoring_case(&pattern, &text), slow);
        }
    }
}
