//! ARNs of KMS keys.

/// The parts of a key ARN.
pub struct Arn<'a> {
    /// One of [`key_policy::PARTITIONS`].
    pub partition: &'a str,
    /// Region of the key.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// Id of the key.
    pub id: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `arn:<partition>:kms:<region>:<account>:key/<id>`.
    pub fn parse(arn: &'a str) -> Option<Self> {
        let parts = key_policy::Arn::parse(arn)?;
        let id = parts.resource.strip_prefix("key/")?;
        let well_formed = key_policy::PARTITIONS.contains(&parts.partition)
            && parts.service == "kms"
            && parts.has_account()
            && !parts.region.is_empty()
            && !id.is_empty()
            && !id.contains(':');
        well_formed.then_some(Self {
            partition: parts.partition,
            region: parts.region,
            account: parts.account,
            id,
        })
    }

    /// What the replicas of a multi-Region key have in common, and so their material; none of a key of one Region.
    pub fn replicated(&self) -> Option<[&'a str; 3]> {
        let everywhere = [self.partition, self.account, self.id];
        self.id.starts_with("mrk-").then_some(everywhere)
    }
}
