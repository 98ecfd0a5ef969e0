//! Amazon resource names.

/// The partitions of AWS (`partitions.json` of its SDKs): the one place that lists them.
pub const PARTITIONS: [&str; 8] = [
    "aws",
    "aws-cn",
    "aws-eusc",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-us-gov",
];

/// What the names of their services end with (`dnsSuffix` there).
pub const SERVICE_SUFFIXES: [&str; 7] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// `arn:<partition>:<service>:<region>:<account>:<resource>`; region and account may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// One of [`PARTITIONS`], where it is an ARN of AWS.
    pub partition: &'a str,
    /// `iam`, `sts`, `kms`, ...
    pub service: &'a str,
    /// For example `eu-west-1`; none for IAM.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// All after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes it apart; `None` where it has fewer than six parts, or no resource.
    pub fn parse(arn: &'a str) -> Option<Self> {
        // Parts are short: looking at each byte is faster than a search that is made for long texts.
        let mut resource = arn;
        let mut part = || {
            let at = resource.bytes().position(|byte| byte == b':')?;
            let (part, rest) = (&resource[..at], &resource[at + 1..]);
            resource = rest;
            Some(part)
        };
        if part()? != "arn" {
            return None;
        }
        let (partition, service, region, account) = (part()?, part()?, part()?, part()?);
        (!resource.is_empty()).then_some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }

    /// Whether the account is one: twelve digits.
    pub fn has_account(&self) -> bool {
        self.account.len() == 12 && self.account.bytes().all(|byte| byte.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_apart_and_the_resource_keeps_its_colons() {
        let arn = Arn::parse("arn:aws-cn:iam::111122223333:role/a:b").unwrap();
        assert_eq!((arn.partition, arn.service), ("aws-cn", "iam"));
        assert_eq!((arn.region, arn.resource), ("", "role/a:b"));
        assert!(arn.has_account());
        for text in [
            "",
            "arn",
            "arn:aws:iam::1",
            "urn:aws:iam::1:x",
            "arn:aws:iam::1:",
            "*",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }
}
