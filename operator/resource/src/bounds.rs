//! How many chambers there are, and how many may be missing or too many while they are replaced.

use chamber_api::ChamberCluster;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::Fault;

/// Numbers of chambers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Wanted.
    pub replicas: u32,
    /// May be missing while rolling.
    pub max_unavailable: u32,
    /// May run beyond those wanted while rolling.
    pub max_surge: u32,
}

/// The numbers that the spec stands for: shares of `replicas` are rounded as those of a Deployment are, down where chambers
/// may be missing and up where they may be too many, and one may be missing where both come to nothing.
pub fn of(cluster: &ChamberCluster) -> Result<Bounds, Fault> {
    let wanted = cluster.spec.chambers.replicas;
    let replicas = u32::try_from(wanted).map_err(|_| {
        Fault::invalid(format!(
            "spec.chambers.replicas is {wanted}, expected 0 or more"
        ))
    })?;
    let rollover = &cluster.spec.rollover;
    let (missing, surplus) = (&rollover.max_unavailable, &rollover.max_surge);
    let max_unavailable = number("spec.rollover.maxUnavailable", missing, |percent| {
        replicas.saturating_mul(percent) / 100
    })?;
    let max_surge = number("spec.rollover.maxSurge", surplus, |percent| {
        replicas.saturating_mul(percent).div_ceil(100)
    })?;
    let stuck = max_unavailable == 0 && max_surge == 0;
    let has_a_share = [missing, surplus]
        .iter()
        .any(|bound| matches!(bound, IntOrString::String(text) if !is_zero(text)));
    if stuck && !has_a_share {
        return Err(Fault::invalid(
            "spec.rollover.maxUnavailable and maxSurge are both 0: no chamber could ever be replaced",
        ));
    }
    Ok(Bounds {
        replicas,
        max_unavailable: if stuck { 1 } else { max_unavailable },
        max_surge,
    })
}

fn number(field: &str, bound: &IntOrString, of: impl Fn(u32) -> u32) -> Result<u32, Fault> {
    let wrong = |found: &dyn std::fmt::Display| {
        Fault::invalid(format!(
            "{field} is {found}, expected a number of chambers from 0 to 100, or a share of replicas such as 25%"
        ))
    };
    let in_range = |number: &u32| *number <= 100;
    match bound {
        IntOrString::Int(number) => {
            let checked = u32::try_from(*number).ok().filter(in_range);
            checked.ok_or_else(|| wrong(number))
        }
        IntOrString::String(text) => {
            let (digits, is_share) = match text.strip_suffix('%') {
                Some(digits) => (digits, true),
                None => (text.as_str(), false),
            };
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| plain).filter(in_range);
            let number = number.ok_or_else(|| wrong(&format_args!("{text:?}")))?;
            Ok(if is_share { of(number) } else { number })
        }
    }
}

fn is_zero(text: &str) -> bool {
    text.trim_end_matches('%').bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn bounds(replicas: i32, missing: &Value, surplus: &Value) -> Result<(u32, u32), String> {
        let cluster = json!({
            "apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
            "metadata": {"name": "signer"},
            "spec": {
                "clusterId": "c", "release": {"image": "i", "measurement": {"imageSha384": "a"}},
                "keys": {"threshold": 1, "shares": []},
                "chambers": {"replicas": replicas},
                "rollover": {"maxUnavailable": missing, "maxSurge": surplus},
                "verification": {"prometheus": {"url": "http://p"}}
            }
        });
        let bounds = of(&serde_json::from_value(cluster).unwrap());
        bounds
            .map(|bounds| (bounds.max_unavailable, bounds.max_surge))
            .map_err(|fault| fault.message)
    }

    #[test]
    fn shares_are_rounded_as_those_of_a_deployment() {
        for (replicas, missing, surplus, expected) in [
            (3, json!(1), json!(0), (1, 0)),
            (10, json!("25%"), json!("25%"), (2, 3)),
            (3, json!("25%"), json!("25%"), (0, 1)),
            (3, json!("25%"), json!(0), (1, 0)),
            (3, json!("100%"), json!("0%"), (3, 0)),
            (0, json!("50%"), json!("50%"), (1, 0)),
            (4, json!("2"), json!("1%"), (2, 1)),
        ] {
            let found = bounds(replicas, &missing, &surplus);
            assert_eq!(found, Ok(expected), "{replicas} {missing} {surplus}");
        }
    }

    #[test]
    fn what_is_no_bound_names_its_field() {
        for (missing, surplus, field) in [
            (json!(-1), json!(0), "maxUnavailable is -1"),
            (json!(101), json!(0), "maxUnavailable is 101"),
            (json!(1), json!("101%"), "maxSurge is \"101%\""),
            (json!(1), json!("%"), "maxSurge is \"%\""),
            (json!(1), json!("+1"), "maxSurge is \"+1\""),
            (json!(""), json!(1), "maxUnavailable is \"\""),
            (json!(0), json!("0%"), "are both 0"),
        ] {
            let message = bounds(3, &missing, &surplus).unwrap_err();
            assert!(message.contains(field), "{field}: {message}");
        }
    }
}
