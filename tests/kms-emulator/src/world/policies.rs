//! A key's policies over time: what is shown, what is enforced, what is still enforced elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use key_policy::Policy;

/// Versions remembered; more than any propagation delay in a test spans.
const REMEMBERED: usize = 64;

/// The history of one key's policy.
pub(crate) struct Policies {
    /// What `GetKeyPolicy` starts from; a foreign hand may have made it no JSON at all.
    shown: String,
    /// Policies that could be parsed, the oldest first; never empty.
    versions: Vec<Version>,
    /// What cryptographic operations enforce while a hold is on.
    held: Option<Arc<Policy>>,
}

struct Version {
    put_at: Instant,
    policy: Arc<Policy>,
}

impl Policies {
    /// The first policy.
    pub fn new(text: String, policy: Policy) -> Self {
        let first = Version {
            put_at: Instant::now(),
            policy: Arc::new(policy),
        };
        Self {
            shown: text,
            versions: vec![first],
            held: None,
        }
    }

    /// Replaces the policy.
    pub fn put(&mut self, text: String, policy: Policy) {
        self.shown = text;
        self.versions.push(Version {
            put_at: Instant::now(),
            policy: Arc::new(policy),
        });
        if self.versions.len() > REMEMBERED {
            self.versions.remove(0);
        }
    }

    /// Replaces the text unchecked. What is no policy is shown, but the last real one stays enforced:
    /// KMS would never have stored it, so there is no rule for enforcing it.
    pub fn put_raw(&mut self, text: String) {
        match Policy::parse(&text) {
            Ok(policy) => self.put(text, policy),
            Err(_) => self.shown = text,
        }
    }

    /// The text as it was put.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// What operations on the key itself enforce: always the newest.
    pub fn control(&self) -> Arc<Policy> {
        self.in_force(Duration::ZERO)
    }

    /// What cryptographic operations enforce.
    pub fn data(&self, delay: Duration) -> Arc<Policy> {
        self.held
            .as_ref()
            .map_or_else(|| self.in_force(delay), Arc::clone)
    }

    /// Pins what cryptographic operations enforce now.
    pub fn hold(&mut self, delay: Duration) {
        self.held = Some(self.in_force(delay));
    }

    /// Ends a hold.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// The newest version that is at least so old; the oldest one if none is.
    fn in_force(&self, delay: Duration) -> Arc<Policy> {
        let settled = |version: &&Version| version.put_at.elapsed() >= delay;
        let version = self.versions.iter().rev().find(settled);
        // `versions` is never empty: `new` puts one in, and `put` adds before it removes.
        Arc::clone(&version.unwrap_or(&self.versions[0]).policy)
    }
}
