//! `policy render`.

use key_policy::{MAX_SIZE, Profile, Template};

use super::terraform;
use crate::arguments::Format;
use crate::input;
use crate::output::{Answer, Exit, Failure};

/// Writes the policy.
pub fn run(
    template: &Template,
    measurements: &[String],
    profile: Profile,
    format: Format,
) -> Result<Answer, Failure> {
    if measurements.len() > 2 {
        return Err(Failure::Usage(format!(
            "{} measurements: a policy admits the current release and the next, two at most",
            measurements.len()
        )));
    }
    let live: Vec<_> = measurements
        .iter()
        .map(|text| input::measurement(text))
        .collect::<Result<_, _>>()?;
    if live.iter().any(|release| release.image_sha384.is_zero()) {
        return Err(Failure::Usage(
            "--measurement: all zeros is any enclave in debug mode. Use what `kubectl chamber describe-eif` prints for the release".to_owned(),
        ));
    }
    if let Some(pin) = template
        .pins
        .iter()
        .find(|pin| live.iter().any(|release| release.register(**pin).is_none()))
    {
        return Err(Failure::Usage(format!(
            "--pin {pin}: not every --measurement has PCR{pin}"
        )));
    }
    let template = Template {
        profile,
        ..template.clone()
    };
    let policy = template.render(&live);
    if policy.size() > MAX_SIZE {
        return Err(Failure::Usage(format!(
            "the policy has {} bytes, and KMS takes {MAX_SIZE}: leave out a --pin",
            policy.size()
        )));
    }
    Ok(Answer {
        text: match format {
            Format::Json => policy.to_json(),
            Format::Terraform => terraform::document("chamber_kms", &policy),
        },
        exit: Exit::of(true),
    })
}
