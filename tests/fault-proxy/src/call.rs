//! What a request is, read off its head and body.

use http::{Method, Uri};
use serde_json::Value;

/// What a call can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks the API server.
    Read,
    /// Changes something at the API server.
    Write,
    /// Renews a Lease or publishes an Event: no part of a rollover.
    Housekeeping,
    /// A call of KMS or STS.
    Key,
}

/// One request of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `PATCH chamberclusters/status`, `PutKeyPolicy b` (the second key), `AssumeRole`.
    pub name: String,
    /// What it can do.
    pub kind: Kind,
}

impl Call {
    /// A request to the API server.
    pub fn kubernetes(method: &Method, uri: &Uri) -> Self {
        let resource = resource(uri.path());
        let kind = if *method == Method::GET || *method == Method::HEAD {
            Kind::Read
        } else if resource == "leases" || resource == "events" {
            Kind::Housekeeping
        } else {
            Kind::Write
        };
        Self {
            name: format!("{method} {resource}"),
            kind,
        }
    }

    /// A request to KMS (its operation is in a header) or STS (its operation is in the form). `keys` are ids or ARNs,
    /// named a, b, c and so on: two tenants' calls have the same names.
    pub fn aws(target: Option<&str>, body: &[u8], keys: &[String]) -> Self {
        let name = match target.and_then(|target| target.rsplit('.').next()) {
            Some(operation) => format!("{operation} {}", key(body, keys)),
            None => form_urlencoded::parse(body)
                .find(|(name, _)| name == "Action")
                .map_or_else(|| "unknown".to_owned(), |(_, action)| action.into_owned()),
        };
        Self {
            name: name.trim_end().to_owned(),
            kind: Kind::Key,
        }
    }
}

/// Plural and subresource of a path such as `/apis/apps/v1/namespaces/n/replicasets/r/scale`.
fn resource(path: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    // The core group has no name.
    let skipped = if parts.next() == Some("api") { 1 } else { 2 };
    let mut rest: Vec<_> = parts.skip(skipped).collect();
    if rest.len() > 2 && rest[0] == "namespaces" {
        rest.drain(..2);
    }
    match rest.as_slice() {
        [plural, _, subresource, ..] => format!("{plural}/{subresource}"),
        [plural, ..] => (*plural).to_owned(),
        [] => path.to_owned(),
    }
}

fn key(body: &[u8], keys: &[String]) -> String {
    let members: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = members["KeyId"].as_str().unwrap_or_default();
    let named = ('a'..='z')
        .zip(keys)
        .find(|(_, known)| id.ends_with(known.as_str()));
    named.map_or_else(|| id.to_owned(), |(name, _)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubernetes(method: &Method, path: &'static str) -> (String, Kind) {
        let call = Call::kubernetes(method, &Uri::from_static(path));
        (call.name, call.kind)
    }

    #[test]
    fn requests_to_the_api_server_are_told_by_verb_and_resource() {
        let status =
            "/apis/chamber.dev/v1alpha1/namespaces/n/chamberclusters/signer/status?force=true";
        assert_eq!(
            kubernetes(&Method::PATCH, status),
            ("PATCH chamberclusters/status".into(), Kind::Write)
        );
        assert_eq!(
            kubernetes(&Method::POST, "/api/v1/namespaces/n/secrets"),
            ("POST secrets".into(), Kind::Write)
        );
        assert_eq!(
            kubernetes(&Method::GET, "/api/v1/namespaces/kube-system"),
            ("GET namespaces".into(), Kind::Read)
        );
        assert_eq!(
            kubernetes(&Method::GET, "/apis/apps/v1/replicasets?watch=true"),
            ("GET replicasets".into(), Kind::Read)
        );
    }

    #[test]
    fn leases_and_events_are_no_points() {
        let lease = "/apis/coordination.k8s.io/v1/namespaces/n/leases/l";
        let event = "/apis/events.k8s.io/v1/namespaces/n/events";
        for (method, path) in [(Method::PUT, lease), (Method::POST, event)] {
            let call = Call::kubernetes(&method, &Uri::from_static(path));
            assert_eq!(call.kind, Kind::Housekeeping);
        }
    }

    #[test]
    fn calls_of_kms_name_their_key() {
        let body =
            br#"{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/1-2-3-4-5abcd","Policy":"{}"}"#;
        let keys = ["0-0-0-0-0".to_owned(), "1-2-3-4-5abcd".to_owned()];
        let call = Call::aws(Some("TrentService.PutKeyPolicy"), body, &keys);
        assert_eq!(call.name, "PutKeyPolicy b");
        assert_eq!(call.kind, Kind::Key);
        let call = Call::aws(None, b"Action=AssumeRole&Version=2011-06-15", &keys);
        assert_eq!(call.name, "AssumeRole");
        let call = Call::aws(Some("TrentService.PutKeyPolicy"), body, &[]);
        assert!(call.name.ends_with("1-2-3-4-5abcd"), "{}", call.name);
    }
}
