//! Whether today's keys still open a blob: asked of KMS, and nothing is decrypted.

use aws_config::SdkConfig;
use chamber_resource::arn::Arn;
use key_policy::{Policy, Template, decrypts};
use measurement::Measurement;
use sealed_blob::InnerBlob;

use crate::kms::{self, Key};
use crate::output::{self, Failure};

/// What was found of the key of one share.
pub struct Found {
    /// Its ARN.
    pub arn: String,
    /// Why it would not open the share; none where it would.
    pub closed: Option<String>,
}

/// The keys of a blob, in the order of its shares, for an enclave of this release.
pub fn of(
    inner: &InnerBlob,
    release: &Measurement,
    role_account: Option<&str>,
) -> Result<Vec<Found>, Failure> {
    output::wait_for(async {
        let sdk = kms::environment().await;
        let mut found = Vec::new();
        for share in &inner.shares {
            let arn = &share.key_arn;
            let template = template(arn, &inner.cluster_id, role_account)?;
            // What one person may not read is told of its key: each has a holder of its own.
            let closed = closed(&sdk, arn, &template, release).await;
            found.push(Found {
                arn: arn.clone(),
                closed: closed.unwrap_or_else(|why| Some(why.to_string())),
            });
        }
        Ok(found)
    })
}

fn template(arn: &str, cluster_id: &str, role_account: Option<&str>) -> Result<Template, Failure> {
    let parts = Arn::parse(arn).ok_or_else(|| {
        let why = "expected arn:aws:kms:<region>:<account>:key/<id>";
        Failure::read(arn, &why)
    })?;
    let mut template = Template::in_account(parts.partition, parts.account, cluster_id);
    if let Some(account) = role_account {
        account.clone_into(&mut template.role_account);
    }
    template.key_arn = Some(arn.to_owned());
    Ok(template)
}

async fn closed(
    sdk: &SdkConfig,
    arn: &str,
    template: &Template,
    release: &Measurement,
) -> Result<Option<String>, Failure> {
    let key = Key::new(sdk, arn)?;
    let state = key.state().await?;
    if state != "Enabled" {
        return Ok(Some(format!("it is {state}")));
    }
    let policy = Policy::parse(&key.policy().await?);
    let policy = policy.map_err(|why| Failure::read(arn, &why))?;
    let open = decrypts(&policy, template, release);
    Ok((!open).then(|| {
        format!(
            "its policy does not surely let {} decrypt with image {}: kubectl chamber policy explain tells why",
            template.enclave_role_arn(),
            release.image_sha384
        )
    }))
}
