//! `key`: a key for a share is made, or brought back.

use chamber_resource::arn::Arn;
use key_policy::Template;

use crate::arguments::{CreateKey, KeyVerb};
use crate::kms;
use crate::output::{self, Answer, Exit, Failure};

/// Does what was asked.
pub fn run(verb: &KeyVerb) -> Result<Answer, Failure> {
    match verb {
        KeyVerb::Create(asked) => create(asked),
        KeyVerb::Restore { arn, yes, dry_run } => restore(arn, *yes, *dry_run),
    }
}

fn create(asked: &CreateKey) -> Result<Answer, Failure> {
    let template = asked.cluster.template()?;
    // Nobody is admitted: a release is, before it is started.
    let policy = template.render(&[]).to_json();
    let text = if asked.dry_run {
        policy
    } else {
        output::wait_for(async {
            let sdk = kms::environment().await;
            let what = format!("wraps a share of the master key of {}", template.cluster_id);
            let arn = kms::create(&sdk, asked.region.as_deref(), &policy, &what).await?;
            check(&arn, &template, asked)?;
            Ok(share(&asked.name, &arn, &template))
        })?
    };
    Ok(Answer {
        text,
        exit: Exit::Clean,
    })
}

/// KMS makes keys in the caller's account, whatever the policy says.
fn check(arn: &str, template: &Template, asked: &CreateKey) -> Result<(), Failure> {
    let account = Arn::parse(arn).map_or("", |arn| arn.account);
    if account == template.key_account {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--account {}: your credentials made {arn} in another account, and its policy is for the one that you named. Schedule its deletion (aws kms schedule-key-deletion --key-id {arn} --pending-window-in-days 7), and make share {} with credentials of that account",
        template.key_account, asked.name
    )))
}

/// What goes under `spec.keys.shares`.
fn share(name: &str, arn: &str, template: &Template) -> String {
    let role = &template.admin_role_arn;
    format!("- name: {name}\n  arn: {arn}\n  management: Managed\n  assumeRoleArn: {role}\n")
}

fn restore(arn: &str, yes: bool, dry_run: bool) -> Result<Answer, Failure> {
    output::wait_for(async {
        let sdk = kms::environment().await;
        let key = kms::Key::new(&sdk, arn)?;
        let state = key.state().await?;
        if state == "Enabled" {
            return Ok(answer(format!("key {arn} is enabled already\n")));
        }
        if !["Disabled", "PendingDeletion"].contains(&state.as_str()) {
            let why = format!(
                "it is {state}: only a key that is disabled or pending deletion comes back"
            );
            return Err(Failure::read(arn, &why));
        }
        if dry_run {
            return Ok(answer(format!(
                "dry run: key {arn} is {state} and would be enabled; KMS was not asked whether you may\n"
            )));
        }
        if !yes {
            confirm(arn, &state)?;
        }
        if state == "PendingDeletion" {
            key.cancel_deletion().await?;
        }
        key.enable().await?;
        Ok(answer(format!("key {arn} is enabled; it was {state}\n")))
    })
}

fn answer(text: String) -> Answer {
    Answer {
        text,
        exit: Exit::Clean,
    }
}

fn confirm(arn: &str, state: &str) -> Result<(), Failure> {
    let what = format!(
        "key {arn} is {state}: once it is enabled, whatever its policy admits may decrypt with it again, shares of retired generations included"
    );
    output::confirm(&what, "yes", "nothing was changed")
}
