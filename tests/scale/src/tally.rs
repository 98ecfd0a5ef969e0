//! Calls by kind, as the operator's metrics count them.

use std::collections::BTreeMap;

/// What the requests of a rollover are not counted with: nothing rests on them.
const APART: [&str; 2] = ["events", "leases"];
/// Verbs that write.
const WRITES: [&str; 4] = ["create", "update", "patch", "delete"];

/// Counts of calls by kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// To the API server, by verb and resource.
    pub requests: BTreeMap<(String, String), f64>,
    /// To KMS and STS, by operation.
    pub aws: BTreeMap<String, f64>,
}

impl Tally {
    /// From a page of metrics.
    pub fn read(page: &str) -> Self {
        let mut tally = Self::default();
        for (name, value) in page.lines().filter_map(|line| line.rsplit_once(' ')) {
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            let label = |key: &str| {
                let start = format!("{key}=\"");
                let (_, rest) = name.split_once(&start).unwrap_or_default();
                rest.split('"').next().unwrap_or_default().to_owned()
            };
            if name.starts_with("chamber_operator_kubernetes_calls_total") {
                let kind = (label("verb"), label("resource"));
                *tally.requests.entry(kind).or_default() += value;
            }
            if name.starts_with("chamber_operator_aws_calls_total") {
                *tally.aws.entry(label("call")).or_default() += value;
            }
        }
        tally
    }

    /// What came since.
    pub fn since(&self, before: &Self) -> Self {
        let mut tally = self.clone();
        for (kind, count) in &mut tally.requests {
            *count -= before.requests.get(kind).copied().unwrap_or_default();
        }
        for (call, count) in &mut tally.aws {
            *count -= before.aws.get(call).copied().unwrap_or_default();
        }
        tally.requests.retain(|_, count| *count > 0.0);
        tally.aws.retain(|_, count| *count > 0.0);
        tally
    }

    fn sum(&self, counts: impl Fn(&str, &str) -> bool) -> f64 {
        let each = self.requests.iter();
        each.filter(|((verb, resource), _)| {
            !APART.contains(&resource.as_str()) && counts(verb, resource)
        })
        .map(|(_, count)| count)
        .sum()
    }

    /// Requests to the API server, without watches, Events and Leases.
    pub fn requests(&self) -> f64 {
        self.sum(|verb, _| verb != "watch")
    }

    /// Those of them that write.
    pub fn writes(&self) -> f64 {
        self.sum(|verb, _| WRITES.contains(&verb))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE chamber_operator_kubernetes_calls counter
chamber_operator_kubernetes_calls_total{verb=\"get\",resource=\"services\",code=\"200\"} 4
chamber_operator_kubernetes_calls_total{verb=\"get\",resource=\"services\",code=\"404\"} 1
chamber_operator_kubernetes_calls_total{verb=\"patch\",resource=\"chamberclusters/status\",code=\"200\"} 2
chamber_operator_kubernetes_calls_total{verb=\"create\",resource=\"events\",code=\"201\"} 9
chamber_operator_kubernetes_calls_total{verb=\"watch\",resource=\"pods\",code=\"200\"} 3
chamber_operator_aws_calls_total{call=\"kms:GetKeyPolicy\",result=\"ok\"} 8
";

    #[test]
    fn events_and_watches_are_counted_apart_and_codes_together() {
        let tally = Tally::read(PAGE);
        assert!((tally.requests() - 7.0).abs() < f64::EPSILON);
        assert!((tally.writes() - 2.0).abs() < f64::EPSILON);
        assert_eq!(tally.aws, [("kms:GetKeyPolicy".to_owned(), 8.0)].into());
        assert_eq!(tally.since(&tally), Tally::default());
        assert_eq!(tally.since(&Tally::default()), tally);
    }
}
