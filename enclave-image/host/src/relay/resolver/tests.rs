use super::*;

#[test]
fn addresses_of_this_machine_and_of_its_metadata_are_inward() {
    let inward = [
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",
        "169.254.169.254",
        "169.254.170.23",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
    ];
    for address in inward {
        assert!(is_inward(address.parse().unwrap()), "{address}");
    }
    // Endpoints of a VPC have private addresses.
    for address in [
        "10.0.3.7",
        "172.16.0.1",
        "192.168.1.1",
        "52.46.1.1",
        "fd00:ec3::1",
        "2600::1",
    ] {
        assert!(!is_inward(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inward_is_refused_with_the_address() {
    let error = Dns.resolve("localhost").await.unwrap_err().to_string();
    assert!(error.contains("localhost resolves to"), "{error}");
    assert!(error.contains("the cluster's DNS is wrong"), "{error}");
}
