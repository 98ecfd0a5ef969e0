//! One veth pair a cluster: the host's end, and the node's address inside.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::sh;

/// Clusters side by side at most.
const SUBNETS: u8 = 100;

/// The subnet 10.200.N.0/30 of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet(pub u8);

impl Subnet {
    /// Takes the first free one by making its veth pair.
    pub fn take() -> Result<Self> {
        for number in 0..SUBNETS {
            let subnet = Self(number);
            // Making the pair is the claim: of two at once, one fails and goes on.
            match sh(&subnet.claim()) {
                Ok(_) => return Ok(subnet),
                Err(_) if subnet.taken() => {}
                Err(error) => return Err(error),
            }
        }
        bail!(
            "no free subnet in 10.200.0.0/16: {SUBNETS} clusters run, or links named chc* were left behind"
        )
    }

    /// Gives the inner end to the process with this id, and the host's end its address.
    pub fn give(self, pid: i32) -> Result<()> {
        let (host, peer) = (self.host_link(), self.peer_link());
        sh(&format!("ip addr add {} dev {host}", self.address(1)))?;
        sh(&format!("ip link set {host} up"))?;
        sh(&format!("ip link set {peer} netns {pid} name eth0"))?;
        // Programs of this machine ask pods, as an operator outside of the cluster does; the route goes with the link.
        let (pods, node) = (self.pods(), self.node_ip());
        sh(&format!("ip route replace {pods} via {node} dev {host}")).map(drop)
    }

    /// The pods' addresses.
    pub fn pods(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// Address and prefix of host number 1 (outside) or 2 (inside).
    pub fn address(self, host: u8) -> String {
        format!("10.200.{}.{host}/30", self.0)
    }

    /// The node's address.
    pub fn node_ip(self) -> String {
        format!("10.200.{}.2", self.0)
    }

    /// The host's address.
    pub fn host_ip(self) -> String {
        format!("10.200.{}.1", self.0)
    }

    /// Removes the pair; gone already when its namespace is.
    pub fn release(self) -> Result<()> {
        match sh(&format!("ip link del {}", self.host_link())) {
            // The kernel removes the pair with the namespace, maybe just now.
            Err(error) if self.taken() => Err(error),
            _ => Ok(()),
        }
    }

    fn claim(self) -> String {
        let (host, peer) = (self.host_link(), self.peer_link());
        format!("ip link add {host} type veth peer name {peer}")
    }

    fn taken(self) -> bool {
        Path::new("/sys/class/net").join(self.host_link()).exists()
    }

    fn host_link(self) -> String {
        format!("chc{}", self.0)
    }

    fn peer_link(self) -> String {
        format!("chp{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_side_by_side_share_no_address_and_no_link() {
        let (one, two) = (Subnet(0), Subnet(99));
        assert_eq!(one.address(2), format!("{}/30", one.node_ip()));
        assert_eq!(two.address(1), format!("{}/30", two.host_ip()));
        assert_ne!(one.node_ip(), two.node_ip());
        assert_ne!(one.pods(), two.pods());
        assert_ne!(one.claim(), two.claim());
        // The kernel takes names of at most 15 bytes.
        assert!(two.host_link().len() <= 15 && two.peer_link().len() <= 15);
    }
}
