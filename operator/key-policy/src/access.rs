//! Who may do what with which attestation, under several policies side by side.

use measurement::{MANIFEST_REGISTER, Measurement, Pcr};

use crate::Policy;
use crate::evaluate::{self, Context, Decision, Identity, Principal, Request};
use crate::template::Template;

/// What no key policy shows, and yet decides what somebody may do.
pub const NOT_SHOWN: [&str; 6] = [
    "service control policies",
    "resource control policies",
    "permission boundaries",
    "session policies",
    "VPC endpoint policies",
    "grants",
];

/// What is asked of each principal: the material in both directions, and the ways to it.
const ACTIONS: [&str; 5] = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:Encrypt",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
];
/// An image that no release has, and a manifest that none runs under.
const ANOTHER: [u8; 48] = [0x5a; 48];

/// Enclaves call KMS themselves.
const OF_ENCLAVES: [(&str, Option<&str>); 5] = [
    ("kms:viaservice", None),
    ("aws:calledvia", None),
    ("aws:calledviafirst", None),
    ("aws:calledvialast", None),
    ("aws:viaawsservice", Some("false")),
];

/// One question, and its answer under each of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who asks.
    pub principal: String,
    /// For example `kms:Decrypt`.
    pub action: &'static str,
    /// What the enclave attests.
    pub attested: String,
    /// Under each policy: whether it is allowed, and by which statement.
    pub by: Vec<Decision>,
}

impl Access {
    /// Whether the policies answer differently.
    pub fn changes(&self) -> bool {
        let kind = |decision: &Decision| (decision.is_allowed(), decision.is_denied());
        let mut answers = self.by.iter().map(kind);
        let first = answers.next();
        answers.any(|answer| Some(answer) != first)
    }
}

/// Whether the enclave role may decrypt from an enclave with this measurement, by AWS's rules.
///
/// This is about lock-out: what depends on something that is not known, and that the spec says nothing of, is denied.
pub fn decrypts(policy: &Policy, template: &Template, measurement: &Measurement) -> bool {
    decryption(policy, template, measurement).is_allowed()
}

/// What the enclave role's Decrypt from an enclave with this measurement is answered.
pub(crate) fn decryption(
    policy: &Policy,
    template: &Template,
    measurement: &Measurement,
) -> Decision {
    let enclave = enclave(template);
    let context = enclave.context(template).attesting(measurement);
    enclave.answer(policy, template, "kms:Decrypt", &context)
}

/// Every question about these measurements, under these policies of one key. Attestations that make no
/// difference are one row, `any`.
pub fn access(policies: &[&Policy], template: &Template, live: &[Measurement]) -> Vec<Access> {
    let mut rows = Vec::new();
    for asker in askers(template) {
        let attested = attestations(&asker.context(template), live);
        for action in ACTIONS {
            let asked = attested.iter().map(|(name, context)| Access {
                principal: asker.name.clone(),
                action,
                attested: name.clone(),
                by: policies
                    .iter()
                    .map(|policy| asker.answer(policy, template, action, context))
                    .collect(),
            });
            rows.extend(merged(asked.collect()));
        }
    }
    rows
}

fn merged(mut asked: Vec<Access>) -> Vec<Access> {
    let alike = asked.windows(2).all(|pair| same(&pair[0].by, &pair[1].by));
    if alike {
        asked.truncate(1);
        for row in &mut asked {
            "any".clone_into(&mut row.attested);
        }
    }
    asked
}

/// Whether the answers are the same; by which Deny something is denied is no matter here.
fn same(one: &[Decision], other: &[Decision]) -> bool {
    let alike = |(one, other): (&Decision, &Decision)| {
        one == other || (one.is_denied() && other.is_denied())
    };
    one.iter().zip(other).all(alike)
}

/// No attestation, each of the releases, their images under another cluster manifest, and an image that is none of them.
fn attestations(context: &Context, live: &[Measurement]) -> Vec<(String, Context)> {
    let of = |measurement: &Measurement| context.clone().attesting(measurement);
    let each = live
        .iter()
        .map(|release| (name(release, live), of(release)));
    let mut rows = vec![("none".to_owned(), context.clone())];
    rows.extend(each);
    for (at, release) in live.iter().enumerate() {
        let told = live[..at].iter().any(|before| before.same_image(release));
        if release.register(MANIFEST_REGISTER).is_some() && !told {
            let mut other = release.clone();
            let another = Pcr::from_bytes(ANOTHER);
            other.registers.insert(MANIFEST_REGISTER, another);
            let name = format!("{} under another manifest", short(&release.image_sha384));
            rows.push((name, of(&other)));
        }
    }
    rows.push(("another image".to_owned(), of(&another_image())));
    rows
}

/// The beginning of its image's measurement; of one image under two manifests, which manifest, too.
fn name(release: &Measurement, live: &[Measurement]) -> String {
    let image = short(&release.image_sha384);
    let twins = live.iter().filter(|other| other.same_image(release));
    match release.register(MANIFEST_REGISTER) {
        Some(manifest) if twins.count() > 1 => format!("{image} with PCR16 {}", short(manifest)),
        _ => image,
    }
}

fn short(pcr: &Pcr) -> String {
    let text = pcr.to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

/// An image that no release has.
pub(crate) fn another_image() -> Measurement {
    Measurement::image(Pcr::from_bytes(ANOTHER))
}

/// Somebody who asks, and what IAM allows to them.
pub(crate) struct Asker {
    name: String,
    principal: Principal,
    identity: &'static [Policy],
    /// Whether what the spec assumes holds for it.
    assumes: bool,
}

impl Asker {
    /// What is known of its requests, without an attestation.
    pub(crate) fn context(&self, template: &Template) -> Context {
        self.context_of(&template.resource(), template)
    }

    /// The same where the key's ARN was written already.
    pub(crate) fn context_of(&self, key: &str, template: &Template) -> Context {
        let mut context = Context::of(&self.principal, key);
        if self.assumes {
            context = context.usually(&OF_ENCLAVES);
            for (key, value) in &template.assume {
                context.set(key, Some(value).filter(|value| !value.is_empty()).cloned());
            }
        }
        context
    }

    /// The answer to a request in this context.
    pub(crate) fn answer(
        &self,
        policy: &Policy,
        template: &Template,
        action: &str,
        context: &Context,
    ) -> Decision {
        let request = Request {
            principal: &self.principal,
            action,
            resource: &template.resource(),
            context,
        };
        evaluate::key_policy(policy, &template.key_account, self.identity(), &request)
    }

    /// Its Decrypt of this key, an ARN in which a star is a part that is not known.
    pub(crate) fn request<'a>(&'a self, resource: &'a str, context: &'a Context) -> Request<'a> {
        Request {
            principal: &self.principal,
            action: "kms:Decrypt",
            resource,
            context,
        }
    }

    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Its IAM policies.
    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity::Policies(self.identity)
    }
}

/// A chamber, in a session of whatever name. In another account than the key's its role needs IAM, too, which is not
/// this policy's to say.
pub(crate) fn enclave(template: &Template) -> Asker {
    let role = template.enclave_role_arn();
    let elsewhere = template.role_account != template.key_account;
    Asker {
        name: own_name(&role),
        principal: Principal::session(&role, &template.role_account, Principal::ANY_SESSION),
        identity: if elsewhere {
            evaluate::everything()
        } else {
            &[]
        },
        assumes: true,
    }
}

/// Any role or user of an account, to whom IAM allows everything.
fn anybody(name: &str, account: &str) -> Asker {
    Asker {
        name: name.to_owned(),
        principal: Principal::anybody(account),
        identity: evaluate::everything(),
        assumes: false,
    }
}

fn askers(template: &Template) -> Vec<Asker> {
    let admin = &template.admin_role_arn;
    vec![
        enclave(template),
        Asker {
            name: own_name(admin),
            principal: Principal::session(admin, &template.key_account, Principal::ANY_SESSION),
            identity: &[],
            assumes: false,
        },
        anybody("any IAM principal", &template.key_account),
        anybody("another account", "000000000000"),
    ]
}

/// The last part of an ARN.
fn own_name(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}
