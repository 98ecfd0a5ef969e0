//! Patterns of pieces of which some stand for any number of characters.

/// Whether a pattern of pieces matches all of a text: where a piece does not fit, the last star takes one more.
pub fn whole<P, T>(
    pattern: &[P],
    text: &[T],
    star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(piece) if star(piece) => {
                last = Some((p, t));
                p += 1;
            }
            Some(piece) if fits(piece, &text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match last {
                Some((at, taken)) => {
                    last = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(star)
}
