//! A fencing token: a mark that this process alone leaves on `ReplicaSets`.
//!
//! A leader may freeze with an order half sent, and send the rest when another one leads. Each order
//! names the version it was given on, but an order for one set may rest on another. So a leader marks every
//! set before its first order, which changes the versions: whatever was ordered before is void.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// The mark, and how often it was renewed.
#[derive(Debug)]
pub struct FencingToken {
    process: String,
    renewed: AtomicU64,
}

impl FencingToken {
    /// A mark that no other process has: identity and start.
    pub fn new(identity: &str) -> Self {
        Self {
            process: format!("{identity}/{}", Timestamp::now().as_nanosecond()),
            renewed: AtomicU64::new(0),
        }
    }

    /// The mark as it is now.
    pub fn value(&self) -> String {
        format!("{}/{}", self.process, self.renewed.load(Ordering::SeqCst))
    }

    /// An order failed, and may still arrive: every set must be marked anew before the next one.
    pub fn renew(&self) {
        self.renewed.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_mark_is_another_one() {
        let token = FencingToken::new("a");
        let first = token.value();
        assert_eq!(token.value(), first);
        token.renew();
        assert_ne!(token.value(), first);
        assert_ne!(FencingToken::new("b").value(), first);
    }
}
