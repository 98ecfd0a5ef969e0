//! Which namespaces may name which Prometheus servers, by the operator's configuration.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;
use wildmatch::WildMatch;

use super::error::Error;

/// Namespaces, the servers that they may name, and what the operator shows there.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Server {
    /// Namespaces; `*` stands for any text, `?` for one character.
    namespaces: Vec<String>,
    /// Base URLs. Scheme, host and port must be the same, and the path the same or below.
    urls: Vec<Base>,
    /// Folder with `token`, `username`, `password`, `ca.crt` and `header.<Name>`, as a Secret is mounted.
    #[serde(default)]
    pub credentials: Option<PathBuf>,
}

/// A base URL.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Base(Url);

impl TryFrom<String> for Base {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        base(&text).map(Self).ok_or(
            "a URL is no http or https URL, or it holds a user name, a password, a query or a fragment",
        )
    }
}

/// The URL, where it is one that holds nothing but scheme, host, port and path.
pub fn base(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let sound = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    sound.then_some(url)
}

/// The URL without a slash at the end: one spelling of each base.
pub fn text(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// Reads the servers from JSON: a list of objects with `namespaces`, `urls` and `credentials`.
pub fn parse(json: &str) -> Result<Servers, String> {
    serde_json::from_str(json).map(Servers).map_err(|error| {
        format!("{error}. Expected [{{\"namespaces\": [...], \"urls\": [...], \"credentials\": \"/folder\"}}]")
    })
}

/// All servers; none at all allows every URL to everybody.
#[derive(Clone, Debug, Default)]
pub struct Servers(Vec<Server>);

impl Servers {
    /// The first entry that allows this URL to the namespace; `None` where there are no entries at all.
    pub fn find(&self, namespace: &str, url: &Url) -> Result<Option<&Server>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let found = self.0.iter().find(|server| server.allows(namespace, url));
        found.map(Some).ok_or_else(|| Error::NotAllowed {
            url: text(url).to_owned(),
            namespace: namespace.to_owned(),
        })
    }
}

impl Server {
    fn allows(&self, namespace: &str, url: &Url) -> bool {
        let mut namespaces = self.namespaces.iter();
        namespaces.any(|pattern| WildMatch::new(pattern).matches(namespace))
            && self.urls.iter().any(|base| base.covers(url))
    }
}

impl Base {
    fn covers(&self, url: &Url) -> bool {
        let path = self.0.path().trim_end_matches('/');
        let below = url.path().strip_prefix(path);
        self.0.origin() == url.origin()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// URL of a proxy. It may hold a password, and is never shown.
#[derive(Clone)]
pub struct Proxy(String);

impl Proxy {
    /// For all requests. The error does not repeat the URL.
    pub fn build(&self) -> Result<reqwest::Proxy, reqwest::Error> {
        reqwest::Proxy::all(&self.0).map_err(reqwest::Error::without_url)
    }
}

impl From<String> for Proxy {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(json: &str, namespace: &str, url: &str) -> bool {
        let servers = parse(json).unwrap();
        servers.find(namespace, &base(url).unwrap()).is_ok()
    }

    #[test]
    fn a_namespace_names_the_servers_that_it_is_given_and_no_other() {
        let json = r#"[{"namespaces": ["prod-*"], "urls": ["https://mimir.example/prometheus/"]},
                       {"namespaces": ["*"], "urls": ["http://prometheus.monitoring:9090"]}]"#;
        for (namespace, url) in [
            ("prod-a", "https://mimir.example/prometheus"),
            ("prod-a", "https://mimir.example:443/prometheus/a/"),
            ("dev", "http://prometheus.monitoring:9090/"),
        ] {
            assert!(allows(json, namespace, url), "{namespace} {url}");
        }
        for (namespace, url) in [
            ("dev", "https://mimir.example/prometheus"),
            ("prod-a", "http://mimir.example/prometheus"),
            ("prod-a", "https://mimir.example/prometheus-b"),
            ("prod-a", "https://mimir.example/prometheus/../admin"),
            ("prod-a", "https://mimir.example/prometheus/%2e%2e/admin"),
            ("dev", "http://prometheus.monitoring.evil.example:9090"),
            ("dev", "http://prometheus.monitoring"),
            ("dev", "http://169.254.169.254/latest"),
        ] {
            assert!(!allows(json, namespace, url), "{namespace} {url}");
        }
    }

    #[test]
    fn without_servers_every_http_url_is_allowed() {
        assert!(allows("[]", "any", "http://p"));
        for url in [
            "http://me:pw@p",
            "http://me@p",
            "ftp://p",
            "http://p?a",
            "http://p#a",
            "p",
        ] {
            assert!(base(url).is_none(), "{url}");
        }
        assert!(
            parse(r#"[{"namespaces": ["*"], "urls": ["http://me:s3cr3t@p"]}]"#)
                .is_err_and(|error| !error.contains("s3cr3t"))
        );
        assert!(parse(r#"[{"namespace": []}]"#).is_err());
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let proxy = Proxy::from("http://me:s3cr3t@[proxy".to_owned());
        assert!(!format!("{proxy:?}").contains("s3cr3t"));
        assert!(!format!("{:?}", proxy.build()).contains("s3cr3t"));
    }
}
