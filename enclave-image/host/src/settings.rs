//! The container's environment as the agent's task.

use chamber_link::{SealRequest, Start, Task};

const BLOB: &str = "TEE_AUTO_UNSEAL_BLOB";
const SEAL: &str = "CHAMBER_SEAL_REQUEST";
const CLUSTER: &str = "CHAMBER_CLUSTER_ID";
const MANIFEST: &str = "CHAMBER_MANIFEST";
// Not the blob's other name: a host of an older release would unseal it, and knows nothing of this one.
const REWRAP: &str = "CHAMBER_REWRAP_BLOB";
const PREVIOUS: &str = "CHAMBER_PREVIOUS_MANIFEST";

/// Why the environment makes no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// None or several of what names a task.
    #[error(
        "{found} of TEE_AUTO_UNSEAL_BLOB (to unseal), CHAMBER_SEAL_REQUEST (to seal once) and CHAMBER_REWRAP_BLOB (to wrap its shares anew, once) is set; set exactly one"
    )]
    Task {
        /// `none` or `more than one`.
        found: &'static str,
    },
    /// A manifest without which no share is wrapped anew.
    #[error(
        "CHAMBER_REWRAP_BLOB is set, and {missing} is not: shares are wrapped anew under the manifest of the new generation (CHAMBER_MANIFEST), from that of the blob's (CHAMBER_PREVIOUS_MANIFEST)"
    )]
    Rewrap {
        /// The variable.
        missing: &'static str,
    },
    /// The manifest of a generation before, with a task that has none.
    #[error(
        "CHAMBER_PREVIOUS_MANIFEST is set, and CHAMBER_REWRAP_BLOB is not: only wrapping shares anew takes the manifest of the generation before"
    )]
    Previous,
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
    let previous = set(PREVIOUS);
    let task = match (set(BLOB), set(SEAL), set(REWRAP)) {
        (None, None, None) => return Err(SettingsError::Task { found: "none" }),
        (None, None, Some(blob)) => rewrap(blob, previous, set(MANIFEST).is_some())?,
        (Some(_), None, None) | (None, Some(_), None) if previous.is_some() => {
            return Err(SettingsError::Previous);
        }
        (Some(blob), None, None) => Task::Unseal {
            blob,
            cluster_id: set(CLUSTER),
        },
        (None, Some(json), None) => Task::Seal(seal_request(&json)?),
        _ => {
            let found = "more than one";
            return Err(SettingsError::Task { found });
        }
    };
    let region = region.ok_or(SettingsError::Region)?;
    Ok(Start {
        region,
        manifest: set(MANIFEST),
        task,
    })
}

fn rewrap(blob: String, previous: Option<String>, manifest: bool) -> Result<Task, SettingsError> {
    let missing = |missing| SettingsError::Rewrap { missing };
    let previous = previous.ok_or(missing(PREVIOUS))?;
    if !manifest {
        return Err(missing(MANIFEST));
    }
    Ok(Task::Rewrap { blob, previous })
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
    fn a_rewrap_has_a_blob_and_the_manifests_of_both_generations() {
        let whole = [(REWRAP, "AAAA"), (PREVIOUS, "BBBB"), (MANIFEST, "CCCC")];
        let start = with(&whole).unwrap();
        assert_eq!(start.manifest.as_deref(), Some("CCCC"));
        assert!(matches!(
            start.task,
            Task::Rewrap { blob, previous } if blob == "AAAA" && previous == "BBBB"
        ));
        for (missing, set) in [(PREVIOUS, [0, 2]), (MANIFEST, [0, 1])] {
            let refused = with(&set.map(|at: usize| whole[at])).unwrap_err();
            assert_eq!(refused, SettingsError::Rewrap { missing });
        }
        for other in [BLOB, SEAL] {
            let refused = with(&[(other, "AAAA"), (PREVIOUS, "BBBB")]).unwrap_err();
            assert_eq!(refused, SettingsError::Previous);
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        assert_eq!(
            with(&[]).unwrap_err(),
            SettingsError::Task { found: "none" }
        );
        let several = SettingsError::Task {
            found: "more than one",
        };
        for both in [[BLOB, SEAL], [BLOB, REWRAP], [SEAL, REWRAP]] {
            let pairs = both.map(|name| (name, "AAAA"));
            assert_eq!(with(&pairs).unwrap_err(), several);
        }
        let bad = with(&[(SEAL, r#"{"clusterId":"c"}"#)]).unwrap_err();
        assert!(bad.to_string().contains("generation"), "{bad}");
        let region = start(None, |name| (name == BLOB).then(|| "AAAA".into()));
        assert_eq!(region.unwrap_err(), SettingsError::Region);
    }
}
