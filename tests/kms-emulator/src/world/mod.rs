//! Everything that calls change: keys, knobs, the audit log. One lock, so that the log's order is the order of effects.

pub(crate) mod audit;
pub(crate) mod key;
pub(crate) mod knobs;
pub(crate) mod policies;
pub(crate) mod signing;

use std::collections::BTreeMap;

use audit::Audit;
use key::Key;
use knobs::Knobs;

/// The mutable whole.
#[derive(Default)]
pub(crate) struct World {
    /// Keys by ARN.
    pub keys: BTreeMap<String, Key>,
    pub knobs: Knobs,
    pub audit: Audit,
    /// How many answers were encrypted to enclaves; chooses the next one's form.
    pub envelopes: u64,
}

impl World {
    /// Takes over new knobs; a hold that begins pins what each key enforces at this moment.
    pub fn set_knobs(&mut self, knobs: Knobs) {
        let delay = self.knobs.delay();
        let begins = knobs.decrypt_policy_hold && !self.knobs.decrypt_policy_hold;
        for key in self.keys.values_mut() {
            if begins {
                key.policies.hold(delay);
            } else if !knobs.decrypt_policy_hold {
                key.policies.release();
            }
        }
        self.knobs = knobs;
    }

    /// A key by ARN or, for the admin port, by id alone.
    pub fn find(&mut self, id: &str) -> Option<&mut Key> {
        self.keys
            .values_mut()
            .find(|key| key.id == id || key.arn == id)
    }
}
