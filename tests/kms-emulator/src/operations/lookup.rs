//! Finding the key that a request names.

use crate::arn::Arn;
use crate::error::ApiError;
use crate::wire::Members;
use crate::world::key::Key;

use super::Call;

/// The greatest length of `KeyId`.
const MAX_KEY_ID: usize = 2048;

impl Call<'_> {
    /// The ARN of the key that the request's `KeyId` names; an id alone is one of the caller's account.
    pub(super) fn named_key(&mut self, members: &Members) -> Result<String, ApiError> {
        let key_id = members.required_text("KeyId")?;
        self.resolve(key_id)
    }

    /// The ARN of an existing key.
    pub(super) fn resolve(&mut self, key_id: &str) -> Result<String, ApiError> {
        if !(1..=MAX_KEY_ID).contains(&key_id.len()) {
            return Err(ApiError::constraint(
                "(text)",
                "keyId",
                "have length between 1 and 2048",
            ));
        }
        let arn = self.arn_of(key_id)?;
        if !self.world.keys.contains_key(&arn) {
            return Err(not_found(format!("Key '{arn}' does not exist")));
        }
        self.note.key = Some(arn.clone());
        Ok(arn)
    }

    fn arn_of(&self, key_id: &str) -> Result<String, ApiError> {
        if let Some(arn) = Arn::parse(key_id) {
            let config = &self.emulator.config;
            if arn.region != config.region || arn.partition != self.emulator.partition {
                return Err(not_found(format!("Invalid arn {}", arn.region)));
            }
            return match (arn.service, arn.resource.split_once('/')) {
                ("kms", Some(("key", _))) => Ok(key_id.to_owned()),
                ("kms", Some(("alias", _))) => {
                    Err(not_found(format!("Alias {key_id} is not found.")))
                }
                _ => Err(invalid(key_id)),
            };
        }
        let account = &self.caller.principal.account;
        if key_id.starts_with("alias/") {
            let (partition, region) = (self.emulator.partition, &self.emulator.config.region);
            return Err(not_found(format!(
                "Alias arn:{partition}:kms:{region}:{account}:{key_id} is not found."
            )));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !key_id.chars().all(plain) {
            return Err(invalid(key_id));
        }
        Ok(self.emulator.key_arn(account, key_id))
    }

    /// A key that was resolved before.
    pub(super) fn key(&self, arn: &str) -> Result<&Key, ApiError> {
        let missing = || not_found(format!("Key '{arn}' does not exist"));
        self.world.keys.get(arn).ok_or_else(missing)
    }

    /// A key that was resolved before, to change it.
    pub(super) fn key_mut(&mut self, arn: &str) -> Result<&mut Key, ApiError> {
        let missing = || not_found(format!("Key '{arn}' does not exist"));
        self.world.keys.get_mut(arn).ok_or_else(missing)
    }
}

fn not_found(message: String) -> ApiError {
    ApiError::client("NotFoundException", message)
}

fn invalid(key_id: &str) -> ApiError {
    not_found(format!("Invalid keyId '{key_id}'"))
}
