//! Why there is no answer, in one line that stays the same and holds no secret.

/// Why there is no answer. URLs in it are such that were found to hold no user name, password, query or fragment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its text is not shown: it may hold a password.
    #[error(
        "url is no http or https URL, or it holds a user name, a password, a query or a fragment: write scheme, host, port and path only"
    )]
    Url,
    /// The operator's configuration does not allow it.
    #[error(
        "url {url} is not allowed for namespace {namespace}: ask who runs the operator to add it to the chart's value `prometheus.servers`"
    )]
    NotAllowed {
        /// The URL.
        url: String,
        /// The namespace.
        namespace: String,
    },
    /// The credentials cannot be used; their values are not shown.
    #[error("credentials: {0}")]
    Credentials(String),
    /// No connection, or none in time.
    #[error("{url} gives no answer: {why}")]
    Connection {
        /// The URL.
        url: String,
        /// The innermost cause.
        why: String,
    },
    /// A redirect is never followed: it would take credentials and the choice of the server elsewhere.
    #[error("{url} answers {status}, a redirect, which is not followed: name the server itself")]
    Redirect {
        /// The URL.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Too much of it.
    #[error("{url} answers `{query}` with more than {limit} bytes: let it give one series a pod")]
    Size {
        /// The URL.
        url: String,
        /// The query.
        query: String,
        /// Bytes that are read at most.
        limit: usize,
    },
    /// No answer of the query API.
    #[error("{url} answers {status} and no JSON of Prometheus' API{}", cure(*status))]
    Foreign {
        /// The URL.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Prometheus' own refusal.
    #[error("{url} refuses `{query}`: {why}")]
    Refused {
        /// The URL.
        url: String,
        /// The query.
        query: String,
        /// Prometheus' words.
        why: String,
    },
    /// A scalar, a matrix or a string.
    #[error("`{query}` gives {found} instead of one series a pod")]
    Shape {
        /// The query.
        query: String,
        /// What it gives.
        found: &'static str,
    },
    /// Series that cannot be told apart.
    #[error("`{query}` gives a series without the label `pod`, or two of pod {pod:?}")]
    Label {
        /// The query.
        query: String,
        /// The pod.
        pod: String,
    },
}

impl Error {
    /// Credentials that cannot be used.
    pub fn credentials(what: impl Into<String>) -> Self {
        Self::Credentials(what.into())
    }
}

/// What helps against an HTTP status.
fn cure(status: u16) -> &'static str {
    match status {
        401 | 403 => ": give it credentials (spec.verification.prometheus.credentialsSecret)",
        404 => ": check the path of the URL",
        _ => "",
    }
}

/// The innermost cause: the outer ones repeat the URL.
pub fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the time is over".to_owned();
    }
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut text = "the connection failed".to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
