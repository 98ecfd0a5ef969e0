//! Which servers are reached without a proxy: `NO_PROXY` as Go's `httpproxy`, and so kubectl, understands it.
//!
//! kube-client 5.0 has a reading of its own, which compares the address of the proxy and refuses an empty entry.

use std::net::IpAddr;

/// What `NO_PROXY` names.
#[derive(Debug, Default)]
pub struct NoProxy {
    entries: Vec<Entry>,
}

/// One name between commas.
#[derive(Debug)]
enum Entry {
    /// `*`.
    Everything,
    /// An address, or as many of its first bits as count.
    Network { address: IpAddr, bits: u8 },
    /// An address and its port, or any port.
    Address {
        address: IpAddr,
        port: Option<String>,
    },
    /// A name that begins with a dot: what ends so is meant, and the name itself unless only what is below it.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<String>,
    },
}

impl NoProxy {
    /// Names between commas; what makes no sense names nothing.
    pub fn parse(text: &str) -> Self {
        Self {
            entries: text.split(',').filter_map(Entry::parse).collect(),
        }
    }

    /// Whether this server is reached without a proxy. The machine itself always is.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = unbracketed(host).to_ascii_lowercase();
        let address = host.parse().ok().map(|ip: IpAddr| ip.to_canonical());
        if host == "localhost" || address.is_some_and(|ip| ip.is_loopback()) {
            return true;
        }
        let port = port.to_string();
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.covers(&host, address, &port))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some(network) = network(&text) {
            return Some(network);
        }
        let (host, port) = host_and_port(&text);
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            return Some(Self::Address { address, port });
        }
        let host = host
            .strip_prefix('*')
            .filter(|rest| rest.starts_with('.'))
            .unwrap_or(host);
        let itself = !host.starts_with('.');
        let dot = if itself { "." } else { "" };
        (!host.is_empty()).then(|| Self::Domain {
            suffix: format!("{dot}{host}"),
            itself,
            port,
        })
    }

    fn covers(&self, host: &str, ip: Option<IpAddr>, asked: &str) -> bool {
        let same_port = |port: &Option<String>| port.as_ref().is_none_or(|port| port == asked);
        match self {
            Self::Everything => true,
            Self::Network { address, bits } => ip.is_some_and(|ip| in_network(ip, *address, *bits)),
            Self::Address { address, port } => ip == Some(*address) && same_port(port),
            // An address has no domain, even where its digits end like one.
            Self::Domain {
                suffix,
                itself,
                port,
            } => {
                let named = host.ends_with(suffix) || (*itself && *host == suffix[1..]);
                ip.is_none() && named && same_port(port)
            }
        }
    }
}

/// `10.0.0.0/8`.
fn network(text: &str) -> Option<Entry> {
    let (address, bits) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
    Some(Entry::Network { address, bits })
}

fn in_network(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    // What is left after a shift by every bit is nothing, and equal.
    let same = |one: u128, other: u128, width: u8| {
        (one ^ other)
            .checked_shr(u32::from(width - bits))
            .unwrap_or(0)
            == 0
    };
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(net)) => same(u32::from(ip).into(), u32::from(net).into(), 32),
        (IpAddr::V6(ip), IpAddr::V6(net)) => same(ip.into(), net.into(), 128),
        _ => false,
    }
}

/// `host`, `host:port`, `[address]:port`, or an address with colons of its own.
fn host_and_port(text: &str) -> (&str, Option<String>) {
    let port = |port: &str| (!port.is_empty()).then(|| port.to_owned());
    if let Some((host, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, port(after.trim_start_matches(':')));
    }
    match text.split_once(':') {
        Some((host, after)) if !after.contains(':') => (host, port(after)),
        _ => (text, None),
    }
}

/// An address without the brackets that it has in a URL.
fn unbracketed(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Servers on port 6443, by whether this `NO_PROXY` covers them.
    fn check(no_proxy: &str, covered: &[&str], others: &[&str]) {
        let no_proxy = NoProxy::parse(no_proxy);
        for host in covered {
            assert!(no_proxy.covers(host, 6443), "{no_proxy:?} covers {host}");
        }
        for host in others {
            assert!(!no_proxy.covers(host, 6443), "{no_proxy:?} leaves {host}");
        }
    }

    #[test]
    fn a_name_covers_itself_and_what_is_below_it() {
        let others = ["notexample.org", "example.org.net", "org"];
        check(
            "example.org",
            &["example.org", "a.b.example.org", "EXAMPLE.org"],
            &others,
        );
        check(" Example.ORG ", &["example.org"], &others);
    }

    #[test]
    fn a_dot_or_a_star_before_a_name_covers_only_what_is_below_it() {
        for no_proxy in [".example.org", "*.example.org"] {
            check(
                no_proxy,
                &["a.example.org"],
                &["example.org", "aexample.org"],
            );
        }
    }

    #[test]
    fn addresses_and_networks_cover_addresses() {
        let others = ["10.1.2.4", "a.10.1.2.3", "[fd00::1]"];
        check("10.1.2.3", &["10.1.2.3", "[::ffff:10.1.2.3]"], &others);
        check("10.0.0.0/8", &["10.255.0.1"], &["11.0.0.1", "[fd00::1]"]);
        check("10.1.2.3/32", &["10.1.2.3"], &["10.1.2.2"]);
        check("0.0.0.0/0", &["192.0.2.1"], &["[fd00::1]", "example.org"]);
        check("fd00::/8", &["[fd00::1]", "fdff::1"], &["[fe00::1]"]);
        check("::/0", &["[fd00::1]"], &["192.0.2.1"]);
        check("fd00::1", &["[fd00::1]"], &["[fd00::2]"]);
        // The end of an address is no domain.
        check("2.3", &[], &["10.1.2.3"]);
    }

    #[test]
    fn a_port_has_to_be_the_servers() {
        for host in ["example.org", "10.1.2.3", "[fd00::1]"] {
            check(&format!("{host}:6443"), &[host], &[]);
            check(&format!("{host}:"), &[host], &[]);
            check(&format!("{host}:443"), &[], &[host]);
        }
    }

    #[test]
    fn a_star_covers_everything_wherever_it_stands() {
        for no_proxy in ["*", "example.org, *", " * ,"] {
            check(no_proxy, &["192.0.2.1", "example.net", "[fd00::1]"], &[]);
        }
    }

    #[test]
    fn the_machine_itself_is_always_covered() {
        let own = [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.3.2.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ];
        check("", &own, &["localhost.example.org", "128.0.0.1"]);
    }

    #[test]
    fn what_makes_no_sense_covers_nothing_and_hides_nothing() {
        for nonsense in [
            "",
            ",",
            ":6443",
            "[",
            "]",
            "*.",
            ".",
            "10.0.0.0/33",
            "10.0.0.0/x",
            "/8",
            "[]:1",
        ] {
            let no_proxy = format!("{nonsense},example.org,");
            check(&no_proxy, &["example.org"], &["192.0.2.1", "example.net"]);
        }
    }

    proptest! {
        #[test]
        fn no_text_crashes(no_proxy in r"[a-f0-9.:,*/\[\] ]{0,30}|.{0,30}", host in r"[a-f0-9.:\[\]]{0,20}|.{0,20}") {
            let _ = NoProxy::parse(&no_proxy).covers(&host, 6443);
        }

        #[test]
        fn an_address_is_in_each_network_that_it_begins(address: [u8; 4], bits in 0_u8..=32, flipped in 0_u8..32) {
            let number = u32::from_be_bytes(address);
            let other = number ^ (1 << (31 - flipped));
            let no_proxy = NoProxy::parse(&format!("{}/{bits}", std::net::Ipv4Addr::from(number)));
            let other = std::net::Ipv4Addr::from(other);
            prop_assume!(!other.is_loopback());
            prop_assert_eq!(no_proxy.covers(&other.to_string(), 6443), flipped >= bits);
        }
    }
}
