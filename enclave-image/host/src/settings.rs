//! The container's environment as the agent's task.

use chamber_link::{SealRequest, Start, Task};

const BLOB: &str = "TEE_AUTO_UNSEAL_BLOB";
const SEAL: &str = "CHAMBER_SEAL_REQUEST";
const CLUSTER: &str = "CHAMBER_CLUSTER_ID";
const MANIFEST: &str = "CHAMBER_MANIFEST";

/// Why the environment makes no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Neither or both of blob and seal request.
    #[error(
        "{found} of TEE_AUTO_UNSEAL_BLOB (to unseal) and CHAMBER_SEAL_REQUEST (to seal once) is set; set exactly one"
    )]
    Task {
        /// `none` or `each`.
        found: &'static str,
    },
    /// The seal request is not the JSON that the operator writes.
    #[error(
        "CHAMBER_SEAL_REQUEST: {0}; expected {{\"clusterId\", \"generation\", \"threshold\", \"keys\"}}"
    )]
    SealRequest(String),
    /// No AWS region is known.
    #[error("no AWS region: set AWS_REGION to the region of the KMS keys")]
    Region,
}

/// What the agent is started with; `variable` looks up one environment variable.
pub fn start(
    region: Option<String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Start, SettingsError> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let task = match (set(BLOB), set(SEAL)) {
        (Some(blob), None) => Task::Unseal {
            blob,
            cluster_id: set(CLUSTER),
        },
        (None, Some(json)) => Task::Seal(seal_request(&json)?),
        (None, None) => return Err(SettingsError::Task { found: "none" }),
        (Some(_), Some(_)) => return Err(SettingsError::Task { found: "each" }),
    };
    let region = region.ok_or(SettingsError::Region)?;
    Ok(Start {
        region,
        manifest: set(MANIFEST),
        task,
    })
}

fn seal_request(json: &str) -> Result<SealRequest, SettingsError> {
    serde_json::from_str(json).map_err(|error| SettingsError::SealRequest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Start, SettingsError> {
        let pairs: Vec<_> = pairs.to_vec();
        start(Some("us-east-1".into()), |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_blob_is_a_task_to_unseal() {
        let start = with(&[
            (BLOB, "AAAA"),
            (CLUSTER, "c"),
            (SEAL, ""),
            (MANIFEST, "BBBB"),
        ])
        .unwrap();
        assert_eq!(start.manifest.as_deref(), Some("BBBB"));
        assert!(matches!(
            start.task,
            Task::Unseal { blob, cluster_id: Some(id) } if blob == "AAAA" && id == "c"
        ));
    }

    #[test]
    fn a_seal_request_is_read_as_the_operator_writes_it() {
        let json = r#"{"clusterId":"c","generation":1,"threshold":2,"keys":["a","b"]}"#;
        let start = with(&[(SEAL, json)]).unwrap();
        let Task::Seal(request) = start.task else {
            panic!("not a seal");
        };
        assert_eq!((request.generation, request.threshold), (1, 2));
        assert_eq!(request.keys, ["a", "b"]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        assert_eq!(
            with(&[]).unwrap_err(),
            SettingsError::Task { found: "none" }
        );
        let both = with(&[(BLOB, "AAAA"), (SEAL, "{}")]).unwrap_err();
        assert_eq!(both, SettingsError::Task { found: "each" });
        let bad = with(&[(SEAL, r#"{"clusterId":"c"}"#)]).unwrap_err();
        assert!(bad.to_string().contains("generation"), "{bad}");
        let region = start(None, |name| (name == BLOB).then(|| "AAAA".into()));
        assert_eq!(region.unwrap_err(), SettingsError::Region);
    }
}
