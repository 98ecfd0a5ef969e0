//! KMS and STS in memory, spoken to by the real SDK: every answer has another request id and date.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fails {
    /// Refused with this code.
    Refused(&'static str),
    /// Done, but no answer comes.
    Lost,
}

/// A key.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// The policy's text.
    pub policy: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Grants as KMS lists them.
    pub grants: Vec<Value>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<String, Key>,
    calls: Vec<(String, String)>,
    /// What the trust policy of every role has to find in the external id; all of them where it is empty.
    trust: String,
    /// External ids that roles were asked with.
    asked: Vec<String>,
    /// Keys whose policy somebody else writes right after the operator, with its text.
    overwritten: BTreeMap<String, String>,
    /// How long a call to KMS takes.
    takes: Option<Duration>,
    /// Operation, key (all where it is empty), and how it fails, as often as it is called.
    faults: Vec<(&'static str, String, Fails)>,
}

/// KMS and STS; clones share them.
#[derive(Clone, Default)]
pub struct Aws(Arc<Mutex<State>>);

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aws")
    }
}

impl Aws {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A configuration whose calls end here.
    pub async fn config(&self) -> SdkConfig {
        let aws = self.clone();
        let connector = SharedHttpConnector::new(aws);
        aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .load()
            .await
    }

    /// Makes a key with this policy, which carries this owner's tag.
    pub fn put(&self, arn: &str, policy: String, owner: &str) {
        let tag = (rollover::tags::OWNER.to_owned(), owner.to_owned());
        let key = Key {
            policy,
            tags: [tag].into(),
            grants: Vec::new(),
        };
        self.state().keys.insert(arn.to_owned(), key);
    }

    /// Somebody tags a key.
    pub fn tag(&self, arn: &str, name: &str, value: &str) {
        let mut state = self.state();
        let key = state.keys.get_mut(arn).unwrap();
        key.tags.insert(name.to_owned(), value.to_owned());
    }

    /// Somebody removes every tag of a key.
    pub fn strip(&self, arn: &str) {
        self.state().keys.get_mut(arn).unwrap().tags.clear();
    }

    /// Somebody gives a grant on a key.
    pub fn grant(&self, arn: &str, id: &str, operations: &[&str]) {
        let mut state = self.state();
        let key = state.keys.get_mut(arn).unwrap();
        key.grants
            .push(json!({"GrantId": id, "Operations": operations,
            "GranteePrincipal": "arn:aws:iam::111122223333:role/Backup"}));
    }

    /// A key as it is.
    pub fn key(&self, arn: &str) -> Key {
        self.state().keys[arn].clone()
    }

    /// This operation fails from now on, for one key or (where it is empty) for all.
    pub fn fail(&self, operation: &'static str, arn: &str, fails: Fails) {
        self.state().faults.push((operation, arn.to_owned(), fails));
    }

    /// Somebody else writes this policy right after every write of the operator.
    pub fn overwrites(&self, arn: &str, policy: &str) {
        let mut state = self.state();
        state.overwritten.insert(arn.to_owned(), policy.to_owned());
    }

    /// Calls to KMS take so long from now on.
    pub fn slow(&self, takes: Duration) {
        self.state().takes = Some(takes);
    }

    /// The trust policy of every role takes this external id alone.
    pub fn trust(&self, external_id: &str) {
        external_id.clone_into(&mut self.state().trust);
    }

    /// The external ids that roles were asked with, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// All goes well from now on.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// How many calls there were.
    pub fn total(&self) -> usize {
        self.state().calls.len()
    }

    /// How often an operation was called for a key (for any where it is empty).
    pub fn calls(&self, operation: &str, arn: &str) -> usize {
        let state = self.state();
        let calls = state.calls.iter();
        calls
            .filter(|(called, on)| called == operation && (arn.is_empty() || on == arn))
            .count()
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.clone();
        HttpConnectorFuture::new(async move {
            let (answer, lost) = aws.answer(&request);
            let of_kms = request.headers().get("x-amz-target").is_some();
            let takes = aws.state().takes.filter(|_| of_kms);
            if let Some(takes) = takes {
                tokio::time::sleep(takes).await;
            }
            if lost {
                std::future::pending::<()>().await;
            }
            Ok(answer)
        })
    }
}

impl Aws {
    fn answer(&self, request: &HttpRequest) -> (HttpResponse, bool) {
        let body = request.body().bytes().unwrap_or_default();
        let target = request.headers().get("x-amz-target");
        let operation = target.and_then(|target| target.split('.').nth(1));
        let operation = operation.unwrap_or("AssumeRole").to_owned();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let arn = body["KeyId"].as_str().unwrap_or_default().to_owned();
        let mut state = self.state();
        state.calls.push((operation.clone(), arn.clone()));
        let external_id = external_id(request);
        state.asked.extend(external_id.clone());
        let distrusted = external_id.is_some_and(|id| !state.trust.is_empty() && id != state.trust);
        let fault = state
            .faults
            .iter()
            .find(|(failing, on, _)| *failing == operation && (on.is_empty() || *on == arn));
        let fails = fault.map(|(_, _, fails)| *fails);
        let fails = fails.or(distrusted.then_some(Fails::Refused("AccessDenied")));
        let id = format!("00000000-0000-0000-0000-{:012}", state.calls.len());
        let answer = match fails {
            Some(Fails::Refused(code)) if operation == "AssumeRole" => respond(403, &id, format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>User u is not authorized, Request ID: {id}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
            )),
            Some(Fails::Refused(code)) => respond(400, &id, json!({
                "__type": code, "message": format!("User u is not authorized (Request ID: {id})")
            }).to_string()),
            _ if operation == "AssumeRole" => respond(200, &id, SESSION.to_owned()),
            _ => match served(&mut state, &arn, &operation, &body) {
                Some(answer) => respond(200, &id, answer.to_string()),
                None => respond(400, &id, json!({"__type": "NotFoundException"}).to_string()),
            },
        };
        (answer, fails == Some(Fails::Lost))
    }
}

impl Key {
    fn serve(&mut self, operation: &str, body: &Value) -> Value {
        match operation {
            "DescribeKey" => json!({"KeyMetadata": {"KeyId": "k", "KeyState": "Enabled",
                "Origin": "AWS_KMS", "KeyUsage": "ENCRYPT_DECRYPT", "MultiRegion": false}}),
            "ListKeyPolicies" => json!({"PolicyNames": ["default"], "Truncated": false}),
            // One a page: the marker is the number of the next.
            "ListGrants" => {
                let marker = body["Marker"].as_str().unwrap_or("0");
                let index: usize = marker.parse().unwrap();
                let page: Vec<_> = self.grants.iter().skip(index).take(1).collect();
                let next = (index + 1 < self.grants.len()).then(|| (index + 1).to_string());
                json!({"Grants": page, "Truncated": next.is_some(), "NextMarker": next})
            }
            "GetKeyPolicy" => json!({"Policy": self.policy, "PolicyName": "default"}),
            "ListResourceTags" => {
                let tags = self.tags.iter();
                let tags: Vec<_> = tags
                    .map(|(name, value)| json!({"TagKey": name, "TagValue": value}))
                    .collect();
                json!({"Tags": tags, "Truncated": false})
            }
            "PutKeyPolicy" => {
                body["Policy"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut self.policy);
                json!({})
            }
            "TagResource" => {
                for tag in body["Tags"].as_array().unwrap() {
                    let text = |name: &str| tag[name].as_str().unwrap().to_owned();
                    self.tags.insert(text("TagKey"), text("TagValue"));
                }
                json!({})
            }
            other => panic!("no such operation: {other}"),
        }
    }
}

/// What a key answers; somebody else may write its policy right after.
fn served(state: &mut State, arn: &str, operation: &str, body: &Value) -> Option<Value> {
    let theirs = state.overwritten.get(arn).cloned();
    let key = state.keys.get_mut(arn)?;
    let answer = key.serve(operation, body);
    if let (Some(theirs), "PutKeyPolicy") = (theirs, operation) {
        key.policy = theirs;
    }
    Some(answer)
}

/// Of an `AssumeRole`, whose body is a form.
fn external_id(request: &HttpRequest) -> Option<String> {
    let body = std::str::from_utf8(request.body().bytes()?).ok()?;
    let mut fields = body.split('&');
    let id = fields.find_map(|field| field.strip_prefix("ExternalId="))?;
    Some(id.replace("%2F", "/"))
}

const SESSION: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>id</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn respond(code: u16, id: &str, body: String) -> HttpResponse {
    let response = http::Response::builder()
        .status(code)
        .header("x-amzn-requestid", id)
        .header("date", format!("Wed, 25 Nov 2026 {}", &id[30..]))
        .body(SdkBody::from(body))
        .unwrap();
    HttpResponse::try_from(response).unwrap()
}
