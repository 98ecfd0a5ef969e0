//! From a host name to addresses.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where the relay looks up hosts.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of an endpoint, port included, the best first.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The pod's resolver, port 443. Answers that lead to this machine or to its metadata services are dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dns;

impl Resolver for Dns {
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((host, 443)).await?;
        let (inward, outward): (Vec<_>, Vec<_>) =
            found.partition(|address| is_inward(address.ip()));
        if outward.is_empty() && !inward.is_empty() {
            let what = format!(
                "{host} resolves to {} only, an address of this machine or of its metadata service: the cluster's DNS is wrong",
                inward[0].ip()
            );
            return Err(io::Error::other(what));
        }
        Ok(outward)
    }
}

/// Addresses that no KMS endpoint has: this machine, its links, metadata and credentials services, groups.
fn is_inward(address: IpAddr) -> bool {
    // IPv4 addresses have a form in IPv6.
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.octets()[0] == 0
                || v4.is_multicast()
                || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || is_aws_local(v6)
        }
    }
}

/// `fd00:ec2::/32`: metadata, DNS, time and credentials of EC2 and EKS.
fn is_aws_local(address: Ipv6Addr) -> bool {
    address.segments()[..2] == [0xfd00, 0x0ec2]
}

#[cfg(test)]
mod tests;
