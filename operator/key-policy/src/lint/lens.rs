//! What the rules ask of a policy: the same few principals, the same key, written once.

use crate::Policy;
use crate::access::{self, Asker};
use crate::arn::Arn;
use crate::evaluate::{
    self, Application, Context, Principal, Request, Truth, applies_whoever_asks, naming,
};
use crate::statement::{Effect, Statement};
use crate::template::Template;

/// A policy, and who is asked about.
pub struct Lens<'a> {
    pub policy: &'a Policy,
    pub template: &'a Template,
    /// ARN of the enclave role.
    pub enclave_role: String,
    /// The account's root.
    pub root: Principal,
    /// The key's ARN, with stars for what is not known.
    pub key: String,
    /// The same, or what statements name where it is not known: who is let in by its ARN is let in here.
    named_key: String,
    enclave: Asker,
    /// What is known of a request of the enclave role, without an attestation.
    enclave_context: Context,
    /// Anybody, of whom nothing is known, without an attestation.
    nobody: Context,
}

impl<'a> Lens<'a> {
    pub fn new(policy: &'a Policy, template: &'a Template) -> Self {
        let enclave = access::enclave(template);
        Self {
            policy,
            template,
            enclave_role: template.enclave_role_arn(),
            root: Principal::new(&template.root_arn(), &template.key_account),
            key: template.resource(),
            named_key: named_key(policy, template),
            enclave_context: enclave.context(template),
            enclave,
            nobody: Context::open(),
        }
    }

    /// The statements of an effect, with their places.
    pub fn statements(&self, effect: Effect) -> impl Iterator<Item = (usize, &'a Statement)> {
        let statements = self.policy.statements().iter().enumerate();
        statements.filter(move |(_, statement)| statement.effect == effect)
    }

    /// What is known of a request of the enclave role, without an attestation.
    pub fn enclave_context(&self) -> &Context {
        &self.enclave_context
    }

    /// Whether a statement names the enclave role itself, or everybody.
    pub fn names_enclave(&self, statement: &Statement) -> Truth {
        naming(statement, self.enclave.principal()).directly
    }

    /// Whether a statement applies to the enclave role.
    pub fn applies_to_enclave(
        &self,
        statement: &Statement,
        action: &str,
        context: &Context,
    ) -> Truth {
        let named = naming(statement, self.enclave.principal()).at_all();
        named.min(self.application(statement, action, context).of_this_key())
    }

    /// Whether a statement applies to everybody without an attestation, whatever else is true of the request.
    pub fn denies_everybody(&self, statement: &Statement, action: &str) -> bool {
        statement.is_for_everybody()
            && self.application(statement, action, &self.nobody).surely() == Truth::Yes
    }

    /// Whether a statement applies to the account's root.
    pub fn applies_to_root(&self, statement: &Statement, action: &str) -> Truth {
        let context = self.context_of(&self.root);
        let named = naming(statement, &self.root).at_all();
        named.min(self.application(statement, action, &context).of_this_key())
    }

    /// Whether the account's root may do something.
    pub fn root_may(&self, action: &str) -> Truth {
        let request = Request {
            principal: &self.root,
            action,
            resource: &self.named_key,
            context: &self.context_of(&self.root),
        };
        let identity = evaluate::Identity::Policies(&[]);
        evaluate::allows(self.policy, &self.template.key_account, identity, &request)
    }

    /// Whether a role or user of the account to whom IAM allows everything may do something without an attestation.
    pub fn anybody_may(&self, action: &str) -> Truth {
        self.anybody_in(action, |context| context)
    }

    /// The same with the attestation of some image, which no release has where the answer depends on it.
    pub fn anybody_attested_may(&self, action: &str) -> Truth {
        match self.anybody_in(action, Context::attesting_an_image) {
            Truth::Unknown => self.anybody_in(action, |context| {
                context.attesting(&access::another_image())
            }),
            sure => sure,
        }
    }

    /// Whether a statement applies to any role or user of the account, without an attestation.
    pub fn applies_to_anybody(&self, statement: &Statement, action: &str) -> Truth {
        let template = self.template;
        let anybody = access::anybody(template, "any IAM principal", &template.key_account);
        let named = naming(statement, anybody.principal()).at_all();
        let context = anybody.context(template);
        named.min(self.application(statement, action, &context).of_this_key())
    }

    fn anybody_in(&self, action: &str, attesting: impl Fn(Context) -> Context) -> Truth {
        let template = self.template;
        let anybody = access::anybody(template, "any IAM principal", &template.key_account);
        let request = Request {
            principal: anybody.principal(),
            action,
            resource: &self.named_key,
            context: &attesting(anybody.context(template)),
        };
        let identity = anybody.identity();
        evaluate::allows(self.policy, &template.key_account, identity, &request)
    }

    fn context_of(&self, principal: &Principal) -> Context {
        Context::of(principal, &self.key)
    }

    fn application(&self, statement: &Statement, action: &str, context: &Context) -> Application {
        applies_whoever_asks(self.policy, statement, action, &self.key, context)
    }
}

/// The key's ARN; in a file of which nobody says it, what statements name of a key of its account, where they agree: a
/// policy that names a key of its own account means the one that it is attached to.
fn named_key(policy: &Policy, template: &Template) -> String {
    if template.key_arn.is_some() {
        return template.resource();
    }
    let resources = policy.statements().iter().flat_map(|one| &one.resources);
    let arns = resources
        .flat_map(|one| &one.listed)
        .filter_map(|one| Arn::parse(one));
    let own: Vec<_> = arns
        .filter(|arn| arn.service == "kms" && arn.account == template.key_account)
        .filter(|arn| arn.partition == template.partition && arn.resource.starts_with("key/"))
        .collect();
    if own.is_empty() {
        return template.resource();
    }
    let agreed = |part: fn(&Arn<'_>) -> String, unknown: &str| {
        let mut parts = own
            .iter()
            .map(part)
            .filter(|part| !part.contains(['*', '?', '$']));
        let first = parts.next().unwrap_or_else(|| unknown.to_owned());
        if parts.all(|part| part == first) {
            first
        } else {
            unknown.to_owned()
        }
    };
    let region = agreed(|arn| arn.region.to_owned(), "*");
    let key = agreed(|arn| arn.resource.to_owned(), "key/*");
    format!(
        "arn:{}:kms:{region}:{}:{key}",
        template.partition, template.key_account
    )
}
