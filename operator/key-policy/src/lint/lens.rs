//! What the rules ask of a policy: the same few principals, the same key, written once.

use crate::Policy;
use crate::access::{self, Asker};
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
            resource: &self.key,
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

    fn anybody_in(&self, action: &str, attesting: impl Fn(Context) -> Context) -> Truth {
        let template = self.template;
        let anybody = access::anybody(template, "any IAM principal", &template.key_account);
        let request = Request {
            principal: anybody.principal(),
            action,
            resource: &self.key,
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
