//! The proxy between us and the API server: the kubeconfig's `proxy-url`, or one of the environment.

use std::fmt;

use http::Uri;
use percent_encoding::percent_decode_str;

use super::no_proxy::NoProxy;
use crate::output::Failure;

/// A proxy, and who asked for it.
pub struct Proxy {
    /// Where it is; of an HTTP proxy with its user.
    pub url: Uri,
    /// What a SOCKS5 proxy asks for.
    pub credentials: Option<Credentials>,
    source: String,
}

/// Who uses a proxy (RFC 1929).
pub struct Credentials {
    /// At most 255 bytes.
    pub user: String,
    /// Likewise.
    pub password: String,
}

/// As it is told.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the proxy {} ({})",
            without_user(&self.url.to_string()),
            self.source
        )
    }
}

/// The proxy of this server, where it has one: `proxy-url` counts before the environment, and without exceptions.
pub fn of(
    server: &Uri,
    proxy_url: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, Failure> {
    if let Some(url) = proxy_url.filter(|url| !url.trim().is_empty()) {
        return parse("proxy-url of the kubeconfig", url).map(Some);
    }
    let first = |names: [&'static str; 2]| {
        let value = |name| {
            Some((
                name,
                variable(name).filter(|value| !value.trim().is_empty())?,
            ))
        };
        names.into_iter().find_map(value)
    };
    let (names, port) = match server.scheme_str() {
        Some("http") => (["HTTP_PROXY", "http_proxy"], 80),
        _ => (["HTTPS_PROXY", "https_proxy"], 443),
    };
    let Some((name, url)) = first(names) else {
        return Ok(None);
    };
    let exceptions = first(["NO_PROXY", "no_proxy"]);
    let exceptions = exceptions.map(|(_, text)| NoProxy::parse(&text));
    let (host, port) = (
        server.host().unwrap_or_default(),
        server.port_u16().unwrap_or(port),
    );
    if exceptions.unwrap_or_default().covers(host, port) {
        return Ok(None);
    }
    let url = url.trim();
    // As Go does it: an address alone is that of an HTTP proxy.
    let with_scheme = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    parse(name, &with_scheme).map(Some)
}

fn parse(source: &str, text: &str) -> Result<Proxy, Failure> {
    let wrong = |what: &str| {
        Failure::Usage(format!(
            "{source}: {} {what}: expected http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT",
            without_user(text)
        ))
    };
    let url: Uri = text.trim().parse().map_err(|_| wrong("is no URL"))?;
    let host = url.host().filter(|host| !host.is_empty());
    let authority = url.authority().filter(|_| host.is_some());
    let authority = authority.ok_or_else(|| wrong("has no host"))?;
    let (url, credentials) = match url.scheme_str() {
        Some("http" | "https") => (url, None),
        // Names are resolved by the proxy in both; a port has to be there for kube.
        Some("socks5" | "socks5h") => {
            let user = authority.as_str().rsplit_once('@').map(|(user, _)| user);
            let credentials = user.map(credentials).transpose().map_err(wrong)?;
            let port = url.port_u16().unwrap_or(1080);
            let url = format!("socks5://{}:{port}", host.unwrap_or_default());
            (url.parse().map_err(|_| wrong("is no URL"))?, credentials)
        }
        _ => return Err(wrong("is of no protocol that is known")),
    };
    Ok(Proxy {
        url,
        credentials,
        source: source.to_owned(),
    })
}

/// `USER:PASSWORD` of a URL, percent-encoded; a user alone has an empty password.
fn credentials(user: &str) -> Result<Credentials, &'static str> {
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_| "has a user or password that is no UTF-8")?;
        let fits = u8::try_from(text.len()).is_ok();
        fits.then(|| text.into_owned())
            .ok_or("has a user or password of more than 255 bytes")
    };
    let user = decoded(user)?;
    if user.is_empty() {
        return Err("has a password without a user");
    }
    let password = decoded(password)?;
    Ok(Credentials { user, password })
}

/// A URL as it may be shown.
fn without_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, after)| after);
    let rest = rest.trim_end_matches('/');
    if scheme.is_empty() {
        return rest.to_owned();
    }
    format!("{scheme}://{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy of a server, by the kubeconfig's word and variables.
    fn proxy(server: &str, proxy_url: Option<&str>, variables: &[(&str, &str)]) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        match of(&server.parse().unwrap(), proxy_url, variable) {
            Ok(Some(proxy)) => proxy.url.to_string(),
            Ok(None) => "none".to_owned(),
            Err(why) => why.to_string(),
        }
    }

    const SERVER: &str = "https://api.example.org:6443";

    #[test]
    fn the_variable_is_that_of_the_servers_scheme_in_upper_case_or_lower_case() {
        let all = [
            ("https_proxy", "http://c:1"),
            ("HTTPS_PROXY", "http://a:1"),
            ("HTTP_PROXY", "http://b:1"),
            ("http_proxy", "http://d:1"),
        ];
        assert_eq!(proxy(SERVER, None, &all), "http://a:1/");
        assert_eq!(proxy("http://api.example.org", None, &all), "http://b:1/");
        assert_eq!(proxy(SERVER, None, &all[..1]), "http://c:1/");
        assert_eq!(
            proxy("http://api.example.org", None, &all[3..]),
            "http://d:1/"
        );
        assert_eq!(proxy(SERVER, None, &all[2..]), "none");
        assert_eq!(
            proxy(SERVER, None, &[("HTTPS_PROXY", ""), all[0]]),
            "http://c:1/"
        );
        assert_eq!(proxy(SERVER, None, &[]), "none");
    }

    #[test]
    fn the_servers_that_no_proxy_names_are_reached_without() {
        let with = |no_proxy| [("HTTPS_PROXY", "http://a:1"), no_proxy];
        assert_eq!(
            proxy(SERVER, None, &with(("NO_PROXY", "example.org"))),
            "none"
        );
        assert_eq!(
            proxy(SERVER, None, &with(("no_proxy", "example.org:6443"))),
            "none"
        );
        assert_eq!(
            proxy(
                "https://api.example.org",
                None,
                &with(("NO_PROXY", "example.org:443"))
            ),
            "none"
        );
        // The name of the proxy is not what counts.
        assert_eq!(proxy(SERVER, None, &with(("NO_PROXY", "a"))), "http://a:1/");
        assert_eq!(
            proxy("https://127.0.0.1:6443", None, &with(("NO_PROXY", ""))),
            "none"
        );
        assert_eq!(
            proxy("https://[::1]:6443", None, &with(("NO_PROXY", ""))),
            "none"
        );
    }

    #[test]
    fn proxy_url_wins_and_has_no_exceptions() {
        let variables = [("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", "*")];
        assert_eq!(proxy(SERVER, Some("http://b:2"), &variables), "http://b:2/");
        assert_eq!(
            proxy("https://127.0.0.1", Some("socks5://b"), &variables),
            "socks5://b:1080/"
        );
        assert_eq!(proxy(SERVER, Some(""), &variables[..1]), "http://a:1/");
    }

    #[test]
    fn addresses_alone_are_of_http_proxies_in_variables_only() {
        let of = |url| proxy(SERVER, None, &[("HTTPS_PROXY", url)]);
        assert_eq!(of("10.0.0.1:3128"), "http://10.0.0.1:3128/");
        assert_eq!(
            of("user:secret@proxy:3128"),
            "http://user:secret@proxy:3128/"
        );
        assert_eq!(of("socks5h://proxy:1081"), "socks5://proxy:1081/");
        assert_eq!(of("https://proxy"), "https://proxy/");
        assert!(
            proxy(SERVER, Some("10.0.0.1:3128"), &[]).contains("10.0.0.1:3128 is of no protocol")
        );
    }

    #[test]
    fn a_socks5_proxy_may_ask_for_a_user() {
        let of = |url: &str| {
            let none = |_: &str| None;
            let proxy = super::of(&SERVER.parse().unwrap(), Some(url), none);
            let proxy = proxy.unwrap().unwrap();
            assert_eq!(proxy.url.to_string(), "socks5://proxy:1080/");
            let told = format!("{proxy:?} {proxy}");
            assert!(!told.contains("secret") && !told.contains("who"), "{told}");
            proxy.credentials.map(|who| (who.user, who.password))
        };
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(of("socks5://proxy"), None);
        assert_eq!(of("socks5://who:secret@proxy"), pair("who", "secret"));
        assert_eq!(
            of("socks5h://wh%40o:se%3Acret@proxy:1080"),
            pair("wh@o", "se:cret")
        );
        assert_eq!(of("socks5://who@proxy"), pair("who", ""));
        let long = format!("socks5://{}@proxy", "u".repeat(256));
        assert!(proxy(SERVER, Some(&long), &[]).contains("of more than 255 bytes"));
    }

    #[test]
    fn what_is_no_proxy_is_told_with_its_source_and_without_its_password() {
        for (url, what) in [
            (
                "ftp://user:secret@proxy",
                "HTTPS_PROXY: ftp://proxy is of no protocol that is known: expected http://",
            ),
            ("http://user:secret@", "HTTPS_PROXY: http:// is no URL"),
            (
                "socks5://:secret@proxy",
                "HTTPS_PROXY: socks5://proxy has a password without a user: expected",
            ),
            (
                "socks5://user:secret%ff@proxy",
                "HTTPS_PROXY: socks5://proxy has a user or password that is no UTF-8",
            ),
            (
                "http://user:se cret@proxy",
                "HTTPS_PROXY: http://proxy is no URL",
            ),
        ] {
            let told = proxy(SERVER, None, &[("HTTPS_PROXY", url)]);
            assert!(told.starts_with(what), "{told}");
            assert!(!told.contains("cret"), "{told}");
        }
        assert!(
            proxy(SERVER, Some("x://y"), &[]).starts_with("proxy-url of the kubeconfig: x://y")
        );
    }
}
