//! The emulator itself: what never changes, and the world behind its lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use key_policy::Policy;
use serde_json::{Value, json};

use crate::attestation::Verifier;
use crate::clock::Now;
use crate::config::{Config, ConfigError, KeyConfig};
use crate::identity::Identities;
use crate::world::World;
use crate::world::key::{Key, KeyState};
use crate::world::policies::Policies;

/// Everything that a call needs.
pub(crate) struct Emulator {
    pub config: Config,
    pub partition: &'static str,
    pub identities: Identities,
    pub verifier: Verifier,
    /// Trust policies by the role's ARN.
    pub roles: BTreeMap<String, Policy>,
    world: Mutex<World>,
}

impl Emulator {
    /// Builds the world that the configuration describes.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let identities = Identities::new(&config)?;
        let verifier = Verifier::new(&config.nitro_root_pem, config.attestation_max_age_seconds)?;
        let mut roles = BTreeMap::new();
        for (index, role) in config.roles.iter().enumerate() {
            let trust =
                Policy::parse(&with_resource(&role.trust).to_string()).map_err(|error| {
                    ConfigError::value(format!("roles[{index}].trust"), error.to_string())
                })?;
            roles.insert(role.arn.clone(), trust);
        }
        let mut world = World::default();
        let partition = config.partition();
        for (index, entry) in config.keys.iter().enumerate() {
            let key = key(entry, partition, &config.region)
                .map_err(|what| ConfigError::value(format!("keys[{index}].policy"), what))?;
            world.keys.insert(key.arn.clone(), key);
        }
        Ok(Self {
            config,
            partition,
            identities,
            verifier,
            roles,
            world: Mutex::new(world),
        })
    }

    /// The world, for one call alone. A panic elsewhere leaves it usable: every change is a single assignment.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that the clock's knob gives.
    pub fn now(&self) -> Now {
        Now::with_offset(self.world().knobs.clock_offset_seconds)
    }

    /// The ARN of a key of the served region.
    pub fn key_arn(&self, account: &str, id: &str) -> String {
        key_arn(self.partition, &self.config.region, account, id)
    }
}

fn key_arn(partition: &str, region: &str, account: &str, id: &str) -> String {
    format!("arn:{partition}:kms:{region}:{account}:key/{id}")
}

fn key(entry: &KeyConfig, partition: &str, region: &str) -> Result<Key, String> {
    let text = entry.policy.to_string();
    let policy = Policy::parse(&text).map_err(|error| error.to_string())?;
    Ok(Key {
        arn: key_arn(partition, region, &entry.account, &entry.id),
        id: entry.id.clone(),
        account: entry.account.clone(),
        spec: entry.key_spec,
        description: String::new(),
        created: Now::with_offset(0),
        state: KeyState::enabled(),
        policies: Policies::new(text, policy),
        tags: entry.tags.clone(),
        multi_region: entry.multi_region,
        grants: entry.grants.clone(),
        other_policies: entry.other_policies.clone(),
        policy_reads: 0,
    })
}

/// Trust policies name no resource, as they can mean none but their role; the evaluator wants one.
fn with_resource(trust: &Value) -> Value {
    let mut trust = trust.clone();
    match trust.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().for_each(add_resource),
        Some(single) => add_resource(single),
        None => {}
    }
    trust
}

fn add_resource(statement: &mut Value) {
    if let Some(members) = statement.as_object_mut() {
        members.entry("Resource").or_insert_with(|| json!("*"));
    }
}
