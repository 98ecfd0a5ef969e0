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
            let (host, peer) = (subnet.host_link(), subnet.peer_link());
            // Making the pair is the claim: of two at once, one fails and goes on.
            if sh(&format!("ip link add {host} type veth peer name {peer}")).is_ok() {
                sh(&format!("ip addr add {} dev {host}", subnet.address(1)))?;
                sh(&format!("ip link set {host} up"))?;
                return Ok(subnet);
            }
        }
        bail!(
            "no free subnet in 10.200.0.0/16: {SUBNETS} clusters run, or links named chc* were left behind"
        )
    }

    /// Gives the inner end to the process with this id.
    pub fn give(self, pid: u32) -> Result<()> {
        sh(&format!(
            "ip link set {} netns {pid} name eth0",
            self.peer_link()
        ))
        .map(|_| ())
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
        if Path::new("/sys/class/net").join(self.host_link()).exists() {
            // The kernel removes the pair with the namespace, maybe just now.
            drop(sh(&format!("ip link del {}", self.host_link())));
        }
        Ok(())
    }

    fn host_link(self) -> String {
        format!("chc{}", self.0)
    }

    fn peer_link(self) -> String {
        format!("chp{}", self.0)
    }
}
