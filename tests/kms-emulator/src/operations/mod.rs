//! KMS's operations: one file for each family, and what they share.

mod data_key;
mod decrypt;
mod encrypt;
mod grants;
mod keys;
mod lookup;
mod page;
mod policies;
mod policy_check;
mod recipient;
mod refused;
mod sign;
mod states;
mod tags;

use serde_json::Value;

use crate::authorize::{self, Context, Question};
use crate::clock::Now;
use crate::emulator::Emulator;
use crate::error::ApiError;
use crate::identity::Caller;
use crate::wire::Members;
use crate::world::World;
use crate::world::audit::Note;

/// One call while it runs: it has the world to itself.
pub(crate) struct Call<'a> {
    pub emulator: &'a Emulator,
    pub world: &'a mut World,
    pub caller: &'a Caller,
    pub now: Now,
    /// What the audit log will say.
    pub note: Note,
}

/// The answer's members; `None` is an empty body.
pub(crate) type Answer = Result<Option<Value>, ApiError>;

/// Runs an operation by its name on the wire.
pub(crate) fn run(call: &mut Call<'_>, operation: &str, members: &Members) -> Answer {
    match operation {
        "CreateKey" => keys::create(call, members),
        "GetPublicKey" => sign::public_key(call, members),
        "Sign" => sign::run(call, members),
        "DescribeKey" => keys::describe(call, members),
        "GetKeyPolicy" => policies::get(call, members),
        "PutKeyPolicy" => policies::put(call, members),
        "ListKeyPolicies" => policies::list(call, members),
        "ListGrants" => grants::list(call, members),
        "RevokeGrant" => grants::revoke(call, members),
        "Encrypt" => encrypt::run(call, members),
        "Decrypt" => decrypt::run(call, members),
        "GenerateDataKey" => data_key::run(call, members),
        "EnableKey" => states::enable(call, members),
        "DisableKey" => states::disable(call, members),
        "ScheduleKeyDeletion" => states::schedule_deletion(call, members),
        "CancelKeyDeletion" => states::cancel_deletion(call, members),
        "TagResource" => tags::tag(call, members),
        "UntagResource" => tags::untag(call, members),
        "ListResourceTags" => tags::list(call, members),
        "ReEncrypt" => refused::re_encrypt(call, members),
        "GenerateDataKeyWithoutPlaintext"
        | "GenerateDataKeyPair"
        | "GenerateDataKeyPairWithoutPlaintext"
        | "CreateGrant" => refused::on_key(call, operation, members),
        unknown => Err(ApiError::client(
            "UnknownOperationException",
            format!("The operation {unknown} is not one that this emulator knows."),
        )),
    }
}

impl Call<'_> {
    /// Asks the key's newest policy, as operations on the key itself do.
    fn authorize(&self, key_arn: &str, action: &str, extra: Context) -> Result<(), ApiError> {
        let key = self.key(key_arn)?;
        self.ask(&key.policies.control(), key_arn, action, extra)
    }

    /// Asks the policy that cryptographic operations enforce, and looks at the key's state.
    fn authorize_use(&self, key_arn: &str, action: &str, extra: Context) -> Result<(), ApiError> {
        let key = self.key(key_arn)?;
        let code = self.emulator.config.pending_deletion_code;
        let state = || key.check_usable(code, self.world.knobs.state_delay());
        if self.emulator.config.state_before_authorization {
            state()?;
        }
        let policy = key.policies.data(self.world.knobs.delay());
        self.ask(&policy, key_arn, action, extra)?;
        state()
    }

    /// Asks a policy that may not be the key's yet.
    fn ask(
        &self,
        policy: &key_policy::Policy,
        key_arn: &str,
        action: &str,
        extra: Context,
    ) -> Result<(), ApiError> {
        let key = self.key(key_arn)?;
        let mut context =
            authorize::base_context(self.caller, &self.emulator.config.region, self.now);
        let fixed = [
            ("kms:calleraccount", self.caller.principal.account.as_str()),
            ("kms:keyorigin", "AWS_KMS"),
            ("kms:keyspec", key.spec.name()),
            ("kms:keyusage", key.spec.usage()),
            (
                "kms:multiregion",
                if key.multi_region { "true" } else { "false" },
            ),
            ("aws:resourceaccount", key.account.as_str()),
        ];
        for (name, value) in fixed {
            context.insert(name.to_owned(), vec![value.to_owned()]);
        }
        for (name, value) in &key.tags {
            let name = format!("aws:resourcetag/{}", name.to_lowercase());
            context.insert(name, vec![value.clone()]);
        }
        context.extend(extra);
        let question = Question {
            caller: self.caller,
            action,
            resource: key_arn,
            owner: &key.account,
            context: &context,
        };
        let granted = key.grants.iter().any(|grant| {
            let to = [&self.caller.principal.arn, &self.caller.principal_arn];
            let mut operations = grant.operations.iter();
            to.contains(&&grant.grantee)
                && operations.any(|operation| action.strip_prefix("kms:") == Some(operation))
        });
        authorize::resource(policy, &self.emulator.identities, &question, granted)
    }

    /// Operations that AWS does not offer to other accounts, whatever the policy says.
    fn check_own_account(&self, key_arn: &str, action: &str) -> Result<(), ApiError> {
        let key = self.key(key_arn)?;
        if self.caller.principal.account == key.account {
            return Ok(());
        }
        Err(ApiError::access_denied(format!(
            "User: {} is not authorized to perform: {action} on resource: {key_arn} because the resource does not \
             exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly \
             denies access",
            self.caller.principal.arn
        )))
    }
}

/// The condition keys of an encryption context.
fn encryption_context(context: &std::collections::BTreeMap<String, String>) -> Context {
    let mut keys: Context = context
        .iter()
        .map(|(name, value)| {
            let key = format!("kms:encryptioncontext:{}", name.to_lowercase());
            (key, vec![value.clone()])
        })
        .collect();
    if !context.is_empty() {
        let names = context.keys().cloned().collect();
        keys.insert("kms:encryptioncontextkeys".to_owned(), names);
    }
    keys.insert(
        "kms:encryptionalgorithm".to_owned(),
        vec!["SYMMETRIC_DEFAULT".to_owned()],
    );
    keys
}

/// Ends a dry run: everything was allowed, so nothing is done.
fn end_of_dry_run(members: &Members) -> Result<(), ApiError> {
    if !members.flag("DryRun")? {
        return Ok(());
    }
    let mut error = ApiError::client(
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    );
    error.status = 412;
    Err(error)
}
