//! The container's termination message: why a seal failed, and what it made where that is short enough.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::outcome::Outcome;

/// The kubelet keeps no more of a container's message; a cut blob would be no blob.
pub const MAX_BYTES: usize = 4096;

/// The JSON to write, and whether it is a success; `None` where there is nothing to say.
pub fn message(outcome: &Outcome) -> Option<(String, bool)> {
    match outcome {
        Outcome::Stopped => None,
        Outcome::SealFailed { message } => Some((failure(message), false)),
        Outcome::Sealed { blob, commitment } => {
            let text = json!({"sealedBlob": blob, "commitment": commitment}).to_string();
            // Most are longer: whoever wanted it has taken it from `/sealed-blob`.
            (text.len() <= MAX_BYTES).then_some((text, true))
        }
    }
}

/// Writes the message of how the host ended (an error: why it could not work at all), and tells how the process ends.
pub fn conclude(outcome: Result<Outcome, String>, path: &Path) -> ExitCode {
    let outcome = outcome.unwrap_or_else(|message| Outcome::SealFailed { message });
    let Some((text, good)) = message(&outcome) else {
        return ExitCode::SUCCESS;
    };
    if !good {
        tracing::error!("{text}");
    }
    match std::fs::write(path, text) {
        Ok(()) if good => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "writing the termination message");
            ExitCode::FAILURE
        }
    }
}

fn failure(error: &str) -> String {
    // Escapes can double the length; the start of an error says most.
    let short: String = error.chars().take(MAX_BYTES / 4).collect();
    json!({ "error": short }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(length: usize) -> Outcome {
        Outcome::Sealed {
            blob: "A".repeat(length),
            commitment: "00".repeat(32),
        }
    }

    #[test]
    fn a_blob_is_said_whole_or_not_at_all() {
        let (text, good) = message(&sealed(3900)).unwrap();
        assert!(good && text.len() <= MAX_BYTES);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["sealedBlob"], "A".repeat(3900));
        assert_eq!(json["commitment"], "00".repeat(32));
        assert_eq!(message(&sealed(4096)), None);
    }

    #[test]
    fn a_long_error_stays_json() {
        let failed = Outcome::SealFailed {
            message: "\u{1}".repeat(9000),
        };
        let (text, good) = message(&failed).unwrap();
        assert!(!good);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
