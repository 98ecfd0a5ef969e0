//! Who may do what with which attestation, under several policies side by side.

use std::borrow::Cow;
use std::collections::BTreeMap;

use measurement::{Measurement, Pcr};

use crate::evaluate::{self, Decision, Principal, Request};
use crate::statement::{Effect, Statement};
use crate::template::Template;
use crate::{ATTESTATION, Policy};

/// What is asked of each principal: the material in both directions, and the ways to it.
const ACTIONS: [&str; 5] = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:Encrypt",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
];
/// An IAM policy that allows everything: the worst that an account can give its principals.
const EVERYTHING: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
/// An image that no release has.
const ANOTHER: [u8; 48] = [0x5a; 48];

/// One question, and its answer under each of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who asks.
    pub principal: String,
    /// For example `kms:Decrypt`.
    pub action: &'static str,
    /// What the enclave attests.
    pub attested: String,
    /// Under each policy: the statement that allows it; `None` where it is denied.
    pub by: Vec<Option<String>>,
}

impl Access {
    /// Whether the policies answer differently.
    pub fn changes(&self) -> bool {
        let mut answers = self.by.iter().map(Option::is_some);
        let first = answers.next();
        answers.any(|answer| Some(answer) != first)
    }
}

/// Whether the enclave role may decrypt from an enclave with this measurement, by AWS's rules.
///
/// A Deny that says nothing of attestations (of a VPC endpoint, say) is taken not to hold: nobody knows
/// here, and it holds for every release alike.
pub fn decrypts(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    let context = evaluate::attested(measurement);
    let policy = without_unknown_denials(policy);
    enclave(template)
        .answer(&policy, template, "kms:Decrypt", &context)
        .is_some()
}

/// The policy without the Deny statements whose conditions are all on other keys than the attestation's.
fn without_unknown_denials(policy: &Policy) -> Cow<'_, Policy> {
    let unknown = |statement: &Statement| {
        let mut conditions = statement.conditions.iter();
        statement.effect == Effect::Deny
            && !statement.conditions.is_empty()
            && conditions.all(|condition| {
                let key = condition.key.to_ascii_lowercase();
                !key.starts_with(ATTESTATION.trim_end_matches(':'))
            })
    };
    if policy.statements().iter().any(unknown) {
        Cow::Owned(policy.replacing(unknown, &[], &[]))
    } else {
        Cow::Borrowed(policy)
    }
}

/// Every question about these measurements, under these policies of one key. Attestations that make no
/// difference are one row, `any`.
pub fn access(policies: &[&Policy], template: &Template, live: &[Measurement]) -> Vec<Access> {
    let attested = attestations(live);
    let policies: Vec<_> = policies
        .iter()
        .map(|policy| without_unknown_denials(policy))
        .collect();
    let mut rows = Vec::new();
    for asker in askers(template) {
        for action in ACTIONS {
            let asked: Vec<_> = attested
                .iter()
                .map(|(name, context)| Access {
                    principal: asker.name.clone(),
                    action,
                    attested: name.clone(),
                    by: policies
                        .iter()
                        .map(|policy| asker.answer(policy, template, action, context))
                        .collect(),
                })
                .collect();
            rows.extend(merged(asked));
        }
    }
    rows
}

fn merged(mut asked: Vec<Access>) -> Vec<Access> {
    let alike = asked.windows(2).all(|pair| pair[0].by == pair[1].by);
    if alike {
        asked.truncate(1);
        for row in &mut asked {
            "any".clone_into(&mut row.attested);
        }
    }
    asked
}

type Context = BTreeMap<String, Vec<String>>;

/// No attestation, each of the releases, and an image that is none of them.
fn attestations(live: &[Measurement]) -> Vec<(String, Context)> {
    let name = |release: &Measurement| {
        let text = release.image_sha384.to_string();
        text.get(..10).unwrap_or(&text).to_owned()
    };
    let each = live.iter().map(|m| (name(m), evaluate::attested(m)));
    let another = evaluate::attested(&Measurement::image(Pcr::from_bytes(ANOTHER)));
    [("none".to_owned(), Context::new())]
        .into_iter()
        .chain(each)
        .chain([("another image".to_owned(), another)])
        .collect()
}

/// Somebody who asks, and what IAM allows to them.
struct Asker {
    name: String,
    principal: Principal,
    identity: Vec<Policy>,
}

impl Asker {
    fn answer(
        &self,
        policy: &Policy,
        template: &Template,
        action: &str,
        context: &Context,
    ) -> Option<String> {
        let request = Request {
            principal: &self.principal,
            action,
            resource: "*",
            context,
        };
        match evaluate::key_policy(policy, &template.key_account, &self.identity, &request) {
            Decision::Allowed { by } => Some(by),
            Decision::ExplicitDeny { .. } | Decision::ImplicitDeny => None,
        }
    }
}

/// In another account than the key's the role needs IAM, too, which is not this policy's to say.
fn enclave(template: &Template) -> Asker {
    let role = template.enclave_role_arn();
    let elsewhere = template.role_account != template.key_account;
    Asker {
        name: own_name(&role),
        principal: Principal::session(&role, &template.role_account, "session"),
        identity: if elsewhere { everything() } else { Vec::new() },
    }
}

fn askers(template: &Template) -> Vec<Asker> {
    let admin = &template.admin_role_arn;
    let iam = |name: &str, account: &str| Asker {
        name: name.to_owned(),
        principal: Principal::session(
            &format!("arn:{}:iam::{account}:role/Anybody", template.partition),
            account,
            "session",
        ),
        identity: everything(),
    };
    vec![
        enclave(template),
        Asker {
            name: own_name(admin),
            principal: Principal::session(admin, &template.key_account, "session"),
            identity: Vec::new(),
        },
        iam("any IAM principal", &template.key_account),
        iam("another account", "000000000000"),
    ]
}

fn everything() -> Vec<Policy> {
    Policy::parse(EVERYTHING).into_iter().collect()
}

/// The last part of an ARN.
fn own_name(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}
