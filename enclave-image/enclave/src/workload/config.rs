//! `/etc/chamber/workload.json`, measured with the image.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How the workload is started; what the file leaves out is as in [`Config::default`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// TCP port on 127.0.0.1 that it listens on.
    pub port: u16,
    /// Its user and group, 1 to 65533.
    pub uid: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            env: BTreeMap::new(),
            port: 9000,
            uid: 1000,
        }
    }
}

/// What is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON, or not of this form.
    #[error("{0}")]
    Json(String),
    /// A value that starts no program.
    #[error("{field}: {what}")]
    Value {
        /// The member at fault.
        field: &'static str,
        /// What was found and what is allowed.
        what: String,
    },
}

/// The greatest user; those above stand for nobody, or for no change.
const MAX_UID: u32 = 65_533;

impl Config {
    /// Reads the file's bytes.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        // The reader takes a list for a struct, too.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(ConfigError::Json("not a JSON object".to_owned()));
        }
        let config: Self =
            serde_json::from_slice(json).map_err(|error| ConfigError::Json(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fault = |field, what| Err(ConfigError::Value { field, what });
        if let Some(at) = self.args.iter().position(|text| text.contains('\0')) {
            return fault("args", format!("number {} holds a NUL", at + 1));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                let what = format!("{name:?} is no name: it is empty, or holds = or NUL");
                return fault("env", what);
            }
            if value.contains('\0') {
                return fault("env", format!("the value of {name:?} holds a NUL"));
            }
        }
        if self.port == 0 {
            return fault("port", "0, expected 1 to 65535".to_owned());
        }
        if !(1..=MAX_UID).contains(&self.uid) {
            let what = format!("{}, expected 1 to {MAX_UID}", self.uid);
            return fault("uid", what);
        }
        Ok(())
    }
}
