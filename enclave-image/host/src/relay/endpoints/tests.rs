use aws_sdk_kms::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use proptest::prelude::*;

use super::*;

/// A Region of each partition.
const SAMPLES: [(&str, &str); 8] = [
    ("aws", "eu-central-1"),
    ("aws-cn", "cn-northwest-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
    ("aws-us-gov", "us-gov-west-1"),
];

fn arn(partition: &str, region: &str) -> String {
    format!("arn:{partition}:kms:{region}:111122223333:key/a")
}

fn of(partition: &str, region: &str) -> Endpoints {
    Endpoints::of_keys([arn(partition, region).as_str()])
}

/// The host that AWS's SDK asks.
async fn host_of_sdk(region: &str, fips: bool, dual_stack: bool) -> String {
    let params = Params::builder()
        .region(region.to_owned())
        .use_fips(fips)
        .use_dual_stack(dual_stack)
        .build()
        .unwrap();
    let url = DefaultResolver::new().resolve_endpoint(&params).await;
    let url = url.unwrap().url().to_owned();
    url.strip_prefix("https://").unwrap().to_owned()
}

#[tokio::test]
async fn they_are_those_that_the_sdk_asks_in_every_partition() {
    for (partition, region) in SAMPLES {
        let endpoints = of(partition, region);
        let mut hosts = BTreeSet::new();
        for (fips, dual_stack) in [(false, false), (false, true), (true, false), (true, true)] {
            hosts.insert(host_of_sdk(region, fips, dual_stack).await);
        }
        assert_eq!(endpoints.hosts, hosts, "{partition}");
        assert_eq!(endpoints.to_string(), region);
    }
}

#[test]
fn keys_of_several_regions_have_the_endpoints_of_each() {
    let arns = [
        arn("aws", "us-east-1"),
        arn("aws-cn", "cn-north-1"),
        arn("aws", "us-east-1"),
    ];
    let endpoints = Endpoints::of_keys(arns.iter().map(String::as_str));
    assert_eq!(endpoints.to_string(), "cn-north-1, us-east-1");
    assert!(endpoints.allow("kms.us-east-1.amazonaws.com"));
    assert!(endpoints.allow("KMS.cn-north-1.amazonaws.com.cn"));
    assert!(!endpoints.allow("kms.cn-north-1.amazonaws.com"));
    assert!(!endpoints.allow("kms.us-east-2.amazonaws.com"));
}

#[test]
fn what_is_no_arn_of_a_key_in_a_region_names_no_host() {
    for bad in [
        "",
        "arn",
        "arn:aws:kms",
        "arn:aws:kms:",
        "arn:aws:s3:us-east-1:1:key/a",
        "arn:nowhere:kms:us-east-1:1:key/a",
        "arn:aws:kms:evil.example/:1:key/a",
        "arn:aws:kms:us-east-1.evil:1:key/a",
        "arn:aws:kms:US-EAST-1:1:key/a",
        &arn("aws", &"a".repeat(33)),
    ] {
        assert!(Endpoints::of_keys([bad]).is_empty(), "{bad}");
    }
}

#[test]
fn a_region_alone_has_the_endpoints_of_every_partition() {
    let endpoints = Endpoints::of_region("us-east-1");
    assert!(endpoints.allow("kms.us-east-1.amazonaws.com"));
    assert!(endpoints.allow("kms-fips.us-east-1.amazonaws.com.cn"));
    assert!(Endpoints::of_region("no region").is_empty());
}

fn suffixes() -> Vec<&'static str> {
    PARTITIONS
        .iter()
        .flat_map(|(_, plain, dual)| [*plain, *dual])
        .collect()
}

proptest! {
    #[test]
    fn what_is_allowed_is_a_kms_endpoint_of_a_named_region(
        regions in prop::collection::vec("[a-zA-Z0-9.:/-]{1,14}", 1..4),
        partition in 0..8_usize,
    ) {
        let arns: Vec<_> = regions.iter().map(|region| arn(PARTITIONS[partition].0, region)).collect();
        let endpoints = Endpoints::of_keys(arns.iter().map(String::as_str));
        for host in &endpoints.hosts {
            let (service, rest) = host.split_once('.').unwrap();
            let (region, suffix) = rest.split_once('.').unwrap();
            prop_assert!(SERVICES.contains(&service), "{}", host);
            prop_assert!(arns.iter().any(|arn| arn.split(':').nth(3) == Some(region)), "{}", host);
            prop_assert!(suffixes().contains(&suffix), "{}", host);
        }
    }

    #[test]
    fn nothing_else_is_allowed(
        at in 0..30_usize,
        character in prop::char::range('\u{1}', '\u{ff}'),
        prefix in "[a-z0-9.@/-]{1,6}",
        suffix in "[a-z0-9.@/:-]{1,6}",
    ) {
        let endpoints = of("aws", "us-east-1");
        let good = "kms.us-east-1.amazonaws.com";
        prop_assert!(endpoints.allow(good));
        // Of these, only the other service of the same Region is one, too.
        let others = ["kms-fips.us-east-1.amazonaws.com", "kms.us-east-1.api.aws"];
        let mut changed = good.to_owned();
        changed.insert(at.min(good.len()), character);
        for host in [changed, format!("{prefix}{good}"), format!("{good}{suffix}")] {
            prop_assert!(!endpoints.allow(&host) || others.contains(&host.as_str()), "{}", host);
        }
    }

    #[test]
    fn an_arbitrary_host_is_refused(host in ".{0,40}") {
        prop_assert!(!of("aws", "us-east-1").allow(&host));
    }
}
