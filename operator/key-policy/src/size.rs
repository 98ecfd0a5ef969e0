//! How much of what KMS takes a policy needs.

use measurement::{Measurement, Pcr};

use crate::profile::Profile;
use crate::template::Template;
use crate::{MAX_SIZE, NotOurs, Policy, binds, project};

/// How many values of `ImageSha384` this policy has room for, in the profile that it has, without pinned registers.
///
/// Each costs the same, so two sizes tell the rest.
pub fn room(policy: &Policy, template: &Template) -> Result<usize, NotOurs> {
    let profile = if binds(policy) {
        Profile::Pinned
    } else {
        Profile::Standard
    };
    let template = Template {
        profile,
        ..template.clone()
    };
    let size = |count: u8| -> Result<usize, NotOurs> {
        let image = |byte| Measurement::image(Pcr::from_bytes([byte; 48]));
        let live: Vec<_> = (1..=count).map(image).collect();
        Ok(project(policy, &template, &live)?.size())
    };
    let (two, three) = (size(2)?, size(3)?);
    let each = (three - two).max(1);
    Ok(2 + MAX_SIZE.saturating_sub(two) / each)
}
