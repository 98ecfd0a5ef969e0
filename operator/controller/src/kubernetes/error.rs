//! An error of the API server as one line, which says the same as long as the same goes wrong.

use std::fmt;

use kube::core::Status;

use crate::kubernetes::deadline::NoAnswer;

/// Characters of the API server's message that are shown at most.
const SAID: usize = 300;

/// The API server refused or was not reached.
#[derive(Debug)]
pub struct Error(Box<kube::Error>);

impl Error {
    /// What was seen has another version now.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(Status::is_conflict)
    }

    /// What was seen has another version now, or is gone.
    pub fn is_stale(&self) -> bool {
        self.is_conflict() || self.status().is_some_and(Status::is_not_found)
    }

    /// Whether time alone may cure it: no answer, too many requests, a fault of the server.
    pub fn passes(&self) -> bool {
        self.status()
            .is_none_or(|status| status.code == 429 || status.code >= 500 || status.is_conflict())
    }

    fn status(&self) -> Option<&Status> {
        match &*self.0 {
            kube::Error::Api(status) => Some(status),
            _ => None,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self(Box::new(error))
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kubernetes API: ")?;
        match &*self.0 {
            kube::Error::Api(status) => refused(status, f),
            kube::Error::Service(error) => match error.downcast_ref::<NoAnswer>() {
                Some(late) => write!(f, "{late}"),
                None => write!(f, "it was not reached"),
            },
            kube::Error::HyperError(_) => write!(f, "it was not reached"),
            kube::Error::Auth(_) => {
                write!(f, "the operator's own credentials for it cannot be used")
            }
            kube::Error::SerdeError(error) => {
                let text = error.to_string();
                // The place in the text moves with what else is in it.
                let what = text.split(" at line ").next().unwrap_or_default();
                write!(f, "its answer cannot be read: {what}")
            }
            _ => write!(f, "the call could not be made"),
        }
    }
}

/// Code and reason; the message only of a refusal, because that of a fault names ports and addresses.
fn refused(status: &Status, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let reason = match status.reason.as_str() {
        "" => "no reason given",
        reason => reason,
    };
    write!(f, "{reason} ({})", status.code)?;
    let message: String = status
        .message
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(SAID)
        .collect();
    if (400..500).contains(&status.code) && status.code != 429 && !message.is_empty() {
        write!(f, ": {message}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, reason: &str, message: &str) -> Error {
        let status = Status {
            code,
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..Status::default()
        };
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn a_refusal_says_what_is_refused_and_a_fault_of_the_server_does_not_name_ports() {
        let forbidden = refusal(
            403,
            "Forbidden",
            "pods is forbidden: User u cannot list\nmore",
        );
        assert_eq!(
            forbidden.to_string(),
            "Kubernetes API: Forbidden (403): pods is forbidden: User u cannot list"
        );
        assert!(!forbidden.passes() && !forbidden.is_conflict());
        let fault = refusal(
            500,
            "InternalError",
            "read tcp 10.0.0.1:43210->10.0.0.2:443",
        );
        assert_eq!(fault.to_string(), "Kubernetes API: InternalError (500)");
        assert!(fault.passes());
        assert!(refusal(409, "Conflict", "").is_conflict());
    }

    #[test]
    fn an_answer_that_cannot_be_read_does_not_name_the_place() {
        let json = serde_json::from_str::<u8>("\n\n\"a\"").unwrap_err();
        let error = Error::from(kube::Error::SerdeError(json));
        assert!(!error.to_string().contains("line"), "{error}");
    }
}
