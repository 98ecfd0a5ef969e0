//! Orders in a few words, for the way to a broken law.

use rollover::Action;

use crate::state::{Images, RELEASES};

/// An order in its own words, with `v2` for the image of release 2.
pub fn action(action: &Action) -> String {
    (1..10).fold(action.to_string(), |text, number| {
        text.replace(&format!("0{number}").repeat(5), &format!("v{number}"))
    })
}

/// `[v1 v2]`; the image that nobody approved is v4.
pub fn images(images: Images) -> String {
    let each: Vec<_> = (0..=RELEASES)
        .filter(|release| images & (1 << release) != 0)
        .map(|release| format!("v{}", release + 1))
        .collect();
    format!("[{}]", each.join(" "))
}
