//! Key policies: whatever is parsed is written back as it was, and can be asked anything.

use std::collections::BTreeSet;

use key_policy::evaluate::{self, Context, Identity, Principal, Request};
use key_policy::{Policy, Profile, Template, report};
use measurement::{Measurement, Pcr};

/// Parses, writes, parses again; then everything that reads a policy.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(policy) = Policy::parse(text) else {
        return;
    };
    let again = Policy::parse(&policy.to_json());
    assert_eq!(again.as_ref(), Ok(&policy), "written and read again");
    assert!(policy.equivalent(&policy), "it is equal to itself");
    for profile in [Profile::Standard, Profile::Pinned] {
        read(text, &policy, &template(profile));
    }
    ask(&policy);
}

fn template(profile: Profile) -> Template {
    Template {
        pins: BTreeSet::from([8]),
        profile,
        ..Template::in_account("aws", "111122223333", "prod-us-east-1-mainnet")
    }
}

fn release(byte: u8) -> Measurement {
    let mut release = Measurement::image(Pcr::from_bytes([byte; 48]));
    release.registers.insert(8, Pcr::from_bytes([byte; 48]));
    release
}

fn read(text: &str, policy: &Policy, template: &Template) {
    let live = [release(1), release(2)];
    let findings = key_policy::lint(policy, template);
    drop(report::sarif(&findings, "policy.json", text));
    drop(key_policy::room(policy, template));
    drop(key_policy::foreign_deny(
        policy,
        template,
        &live[1],
        Some(&live[0]),
    ));
    if let Ok(admitted) = key_policy::found(policy, template) {
        drop(key_policy::found_tuple(
            &admitted,
            &live[0].image_sha384,
            &live,
        ));
        let adopted = key_policy::adopt(policy, template, &live);
        assert_eq!(
            key_policy::holds(&adopted, template, &live),
            Ok(true),
            "adopted"
        );
        drop(key_policy::diff(policy, &adopted));
    }
    if let Ok(projected) = key_policy::project(policy, template, &live) {
        assert_eq!(
            key_policy::holds(&projected, template, &live),
            Ok(true),
            "projected"
        );
        drop(key_policy::access(&[policy, &projected], template, &live));
    }
}

fn ask(policy: &Policy) {
    let account = "111122223333";
    let principal = Principal::session("arn:aws:iam::111122223333:role/A", account, "s");
    let key = "arn:aws:kms:*:111122223333:key/*";
    let context = Context::of(&principal, key).attesting(&release(1));
    for action in ["kms:Decrypt", "kms:PutKeyPolicy", ""] {
        let request = Request {
            principal: &principal,
            action,
            resource: key,
            context: &context,
        };
        let identity = Identity::Policies(std::slice::from_ref(policy));
        drop(evaluate::key_policy(policy, account, identity, &request));
        drop(evaluate::resource_policy(policy, &request));
    }
}
