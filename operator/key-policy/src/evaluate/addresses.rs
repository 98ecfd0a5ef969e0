//! Addresses in a network and next to it.

use std::net::IpAddr;

/// The addresses behind and before a network.
pub fn beside((base, length): (IpAddr, u32)) -> Vec<String> {
    let beside = match base {
        IpAddr::V4(base) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            let (first, last) = (base.to_bits() & !host, base.to_bits() | host);
            let beside = [last.checked_add(1), first.checked_sub(1)];
            beside.map(|bits| bits.map(|bits| IpAddr::V4(bits.into())))
        }
        IpAddr::V6(base) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            let (first, last) = (base.to_bits() & !host, base.to_bits() | host);
            let beside = [last.checked_add(1), first.checked_sub(1)];
            beside.map(|bits| bits.map(|bits| IpAddr::V6(bits.into())))
        }
    };
    let beside = beside.into_iter().flatten();
    beside.map(|address| address.to_string()).collect()
}

/// The last and the first address of a network.
pub fn ends((base, length): (IpAddr, u32)) -> [String; 2] {
    let last = match base {
        IpAddr::V4(base) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V4((base.to_bits() | host).into())
        }
        IpAddr::V6(base) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            IpAddr::V6((base.to_bits() | host).into())
        }
    };
    [last.to_string(), base.to_string()]
}

#[cfg(test)]
mod tests {
    use super::super::compare::network;
    use super::*;

    #[test]
    fn beside_a_network_is_what_its_first_bits_leave_out() {
        for (text, found) in [
            ("10.0.0.1/8", &["11.0.0.0", "9.255.255.255"][..]),
            ("10.0.0.0/30", &["10.0.0.4", "9.255.255.255"]),
            ("0.0.0.0/0", &[]),
            ("255.255.255.255/32", &["255.255.255.254"]),
            (
                "2001:db8::1/112",
                &["2001:db8::1:0", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"],
            ),
            ("::/0", &[]),
        ] {
            assert_eq!(beside(network(text).unwrap()), found, "{text}");
        }
    }

    #[test]
    fn a_network_ends_where_all_bits_behind_its_own_are_set() {
        for (text, last, first) in [
            ("10.0.0.1/8", "10.255.255.255", "10.0.0.1"),
            ("10.0.0.0/30", "10.0.0.3", "10.0.0.0"),
            ("10.0.0.1/32", "10.0.0.1", "10.0.0.1"),
            ("0.0.0.0/0", "255.255.255.255", "0.0.0.0"),
            ("2001:db8::1/112", "2001:db8::ffff", "2001:db8::1"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(ends(network(text).unwrap()), [last, first], "{text}");
        }
    }
}
