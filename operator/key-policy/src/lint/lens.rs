//! What the rules ask of a policy: the same few principals, the same key, written once.

use std::cell::OnceCell;

use super::admitted;
use crate::Policy;
use crate::access::{self, Asker};
use crate::evaluate::{
    self, Application, Context, Principal, Request, Truth, applies_whoever_asks, naming, needed,
    one_applies,
};
use crate::infer;
use crate::statement::{Effect, Statement};
use crate::template::Template;

/// A policy, and who is asked about.
pub struct Lens<'a> {
    pub policy: &'a Policy,
    pub template: &'a Template,
    /// The account's root.
    pub root: Principal,
    /// The key's ARN, with stars for what is not known.
    pub key: String,
    /// The same, or what statements name where it is not known: who is let in by its ARN is let in here.
    named_key: String,
    enclave: Asker,
    /// What is known of a request of the enclave role, without an attestation.
    enclave_context: Context,
    /// The same from an enclave that attests some image.
    attested: Context,
    /// Anybody, of whom nothing is known, without an attestation.
    nobody: Context,
    /// What enclaves attest that statement 3 admits.
    admitted: OnceCell<Vec<Context>>,
    /// Any role or user of the account, without an attestation.
    anybody: OnceCell<(Principal, Context)>,
}

impl<'a> Lens<'a> {
    pub fn new(policy: &'a Policy, template: &'a Template) -> Self {
        let enclave = access::enclave(template);
        let key = template.resource();
        let enclave_context = enclave.context_of(&key, template);
        Self {
            policy,
            template,
            root: Principal::new(&template.root_arn(), &template.key_account),
            named_key: named_key(policy, template).unwrap_or_else(|| key.clone()),
            key,
            attested: enclave_context.clone().attesting_an_image(),
            enclave_context,
            enclave,
            nobody: Context::open(),
            admitted: OnceCell::new(),
            anybody: OnceCell::new(),
        }
    }

    /// ARN of the enclave role.
    pub fn enclave_role(&self) -> &str {
        self.enclave.principal().role.as_deref().unwrap_or_default()
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

    /// The same from an enclave that attests some image.
    pub fn attested(&self) -> &Context {
        &self.attested
    }

    /// What enclaves attest that statement 3 admits; where it admits none, some image.
    pub fn admitted(&self) -> &[Context] {
        self.admitted.get_or_init(|| {
            let attested = admitted::contexts(self.policy, &self.enclave_context);
            if attested.is_empty() {
                return vec![self.attested.clone()];
            }
            attested
        })
    }

    /// Whether a statement names the enclave role itself, or everybody; where it names a session of it, that is not known.
    pub fn names_enclave(&self, statement: &Statement) -> Truth {
        naming(statement, self.enclave.principal()).directly
    }

    /// Whether it is the name of its session that decides whether a statement names the enclave role.
    pub fn names_by_session(&self, statement: &Statement) -> bool {
        naming(statement, self.enclave.principal()).at_all() == Truth::Unknown
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

    /// Whether a statement gives something to the enclave role, or to a session of it, where that attests its image.
    pub fn gives_enclave(&self, statement: &Statement, action: &str) -> bool {
        let applies = || self.application(statement, action, &self.attested);
        self.names_a_session(statement) && applies().of_this_key() != Truth::No
    }

    /// Whether a statement names the enclave role, a session of it, or everybody.
    pub fn names_a_session(&self, statement: &Statement) -> bool {
        self.names_enclave(statement) != Truth::No
    }

    /// Whether a statement applies to everybody without an attestation, whatever else is true of the request.
    pub fn denies_everybody(&self, statement: &Statement, action: &str) -> bool {
        let application = || {
            let (policy, key) = (self.policy, &self.named_key);
            applies_whoever_asks(policy, statement, action, key, &self.nobody)
        };
        statement.is_for_everybody() && application().surely() == Truth::Yes
    }

    /// Whether of several such statements, which depend on something else, one always applies.
    pub fn together_deny_everybody(&self, action: &str) -> bool {
        let denies = self
            .statements(Effect::Deny)
            .map(|(_, statement)| statement);
        let denies: Vec<_> = denies.filter(|one| one.is_for_everybody()).collect();
        let anybody = Principal::service("anybody");
        let request = self.request(&anybody, action, &self.nobody);
        one_applies(self.policy, &denies, &request)
    }

    /// Of several Deny statements, which depend on what is not known, the places of those of which one always applies to
    /// the enclave role; none where that is not so.
    pub fn together_deny_enclave(
        &self,
        denies: &[&Statement],
        action: &str,
        context: &Context,
    ) -> Vec<usize> {
        let request = self.request(self.enclave.principal(), action, context);
        needed(self.policy, denies, &request)
    }

    /// The same of the account's root.
    pub fn together_deny_root(&self, denies: &[&Statement], action: &str) -> Vec<usize> {
        let context = self.context_of(&self.root);
        needed(
            self.policy,
            denies,
            &self.request(&self.root, action, &context),
        )
    }

    /// What decides whether a statement applies to the enclave role and is not known: condition keys, and the name of its
    /// session.
    pub fn open_for_enclave(
        &self,
        statement: &Statement,
        action: &str,
        context: &Context,
    ) -> Vec<String> {
        let mut keys = evaluate::open_keys(self.policy, statement, action, context);
        let session = self.names_by_session(statement);
        keys.extend(session.then(|| evaluate::SESSION_NAME.to_owned()));
        keys
    }

    fn request<'r>(
        &'r self,
        principal: &'r Principal,
        action: &'r str,
        context: &'r Context,
    ) -> Request<'r> {
        Request {
            principal,
            action,
            resource: &self.named_key,
            context,
        }
    }

    /// Whether a statement is about this key.
    pub fn is_about_key(&self, statement: &Statement) -> bool {
        // Nearly all of them say `*`: nothing has to be compared.
        let plainly = statement.resources.as_ref().is_some_and(|resources| {
            !resources.negated && resources.listed.iter().any(|one| one == "*")
        });
        plainly || evaluate::names_key(self.policy, statement, &self.key) != Truth::No
    }

    /// Whether a statement applies to the account's root.
    pub fn applies_to_root(&self, statement: &Statement, action: &str) -> Truth {
        let context = self.context_of(&self.root);
        let named = naming(statement, &self.root).at_all();
        named.min(self.application(statement, action, &context).of_this_key())
    }

    /// What decides whether a Deny holds for the account's root and is not known.
    pub fn open_for_root(&self, statement: &Statement, action: &str) -> Vec<String> {
        let context = self.context_of(&self.root);
        let request = self.request(&self.root, action, &context);
        evaluate::unknown_keys(self.policy, statement, &request)
    }

    /// Whether the administrators may do something.
    pub fn administrators_may(&self, action: &str) -> Truth {
        let (admin, account) = (&self.template.admin_role_arn, &self.template.key_account);
        let admin = Principal::session(admin, account, Principal::ANY_SESSION);
        self.may(&admin, action)
    }

    /// Whether the account's root may do something.
    pub fn root_may(&self, action: &str) -> Truth {
        self.may(&self.root, action)
    }

    fn may(&self, principal: &Principal, action: &str) -> Truth {
        let context = self.context_of(principal);
        let request = self.request(principal, action, &context);
        let identity = evaluate::Identity::Policies(&[]);
        evaluate::allows(self.policy, &self.template.key_account, identity, &request)
    }

    /// Whether a role or user of the account to whom IAM allows everything may do something without an attestation.
    pub fn anybody_may(&self, action: &str) -> Truth {
        self.anybody_in(action, |context| context)
    }

    /// The same with the attestation of an image that no release has. What is so of every image is so of this one.
    pub fn anybody_attested_may(&self, action: &str) -> Truth {
        self.anybody_in(action, |context| {
            context.attesting(&access::another_image())
        })
    }

    /// Whether a statement applies to any role or user of the account, without an attestation.
    pub fn applies_to_anybody(&self, statement: &Statement, action: &str) -> Truth {
        let (anybody, context) = self.anybody();
        let named = naming(statement, anybody).at_all();
        named.min(self.application(statement, action, context).of_this_key())
    }

    fn anybody(&self) -> &(Principal, Context) {
        self.anybody.get_or_init(|| {
            let anybody = Principal::anybody(&self.template.key_account);
            let context = self.context_of(&anybody);
            (anybody, context)
        })
    }

    fn anybody_in(&self, action: &str, attesting: impl Fn(Context) -> Context) -> Truth {
        let (anybody, context) = self.anybody();
        let context = attesting(context.clone());
        let request = self.request(anybody, action, &context);
        let identity = evaluate::Identity::Policies(evaluate::everything());
        evaluate::allows(self.policy, &self.template.key_account, identity, &request)
    }

    /// What is known of a request of whoever keeps the key.
    fn context_of(&self, principal: &Principal) -> Context {
        without_bypass(Context::of(principal, &self.key))
    }

    fn application(&self, statement: &Statement, action: &str, context: &Context) -> Application {
        applies_whoever_asks(self.policy, statement, action, &self.key, context)
    }
}

/// The key's ARN, or what statements say of it; `None` where neither is known.
fn named_key(policy: &Policy, template: &Template) -> Option<String> {
    let named = || infer::key(policy, &template.partition, &template.key_account);
    template.key_arn.clone().or_else(named)
}

/// Nobody who is asked about here bypasses KMS's check of lock-out.
fn without_bypass(context: Context) -> Context {
    context.usually(&[("kms:bypasspolicylockoutsafetycheck", Some("false"))])
}
