//! What the policies are to hold: the live releases, and on single keys what was found there.

use std::collections::BTreeMap;

use key_policy::Policy;
use measurement::Measurement;

use crate::{Record, Rollover, Share, World, takeover};

/// What every policy is to hold, and what may stay on single keys. Revoked images are in neither.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    everywhere: Vec<Measurement>,
    /// By ARN: what was found is never copied to another key.
    found: BTreeMap<String, Measurement>,
}

impl Live {
    /// While both releases of a rollover run.
    pub fn both(world: &World, rollover: &Rollover) -> Self {
        let found = rollover.found.iter();
        let trusted = |found: &(&String, &Measurement)| !world.revoked(&found.1.image_sha384);
        Self {
            everywhere: world.trusted(rollover.live()),
            found: found
                .filter(trusted)
                .map(|(arn, measurement)| (arn.clone(), measurement.clone()))
                .collect(),
        }
    }

    /// While one release runs.
    pub fn only(world: &World, measurement: &Measurement) -> Self {
        Self {
            everywhere: world.trusted(vec![measurement.clone()]),
            found: BTreeMap::new(),
        }
    }

    /// As far as a record says it; without one, what the spec names.
    pub fn recorded(world: &World, record: &Record) -> Self {
        let current = record.current.as_ref().unwrap_or(&world.spec.release);
        match &record.rollover {
            Some(rollover) if !rollover.retires() => Self::both(world, rollover),
            Some(rollover) => Self::only(world, &rollover.to.measurement),
            None if record.current.is_none() => Self {
                found: takeover::next(world, None).unwrap_or_default(),
                ..Self::only(world, &current.measurement)
            },
            None => Self::only(world, &current.measurement),
        }
    }

    /// What every policy is to hold.
    pub fn everywhere(&self) -> &[Measurement] {
        &self.everywhere
    }

    /// What the policy of a key is to hold. What was found there stays while it is there, and does not come back.
    pub fn on(&self, share: &Share, policy: &Policy) -> Vec<Measurement> {
        let stays = self.found.get(&share.arn).filter(|found| {
            let image = found.image_sha384.to_string();
            key_policy::found(policy, &share.template)
                .is_ok_and(|admitted| admitted.image_sha384.contains(&image))
        });
        stays.into_iter().chain(&self.everywhere).cloned().collect()
    }
}
