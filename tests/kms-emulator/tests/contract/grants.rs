//! Grants: listed in pages, enforced where nothing denies, and taken back.

use aws_sdk_kms::primitives::Blob;
use kms_emulator::GrantConfig;

use crate::enclave::Enclave;
use crate::world::{FOREIGN, World, code, key, who};

const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/ChamberEnclaveRole-other";

fn grant(id: &str, grantee: &str) -> GrantConfig {
    GrantConfig {
        id: id.to_owned(),
        name: Some(format!("name-{id}")),
        grantee: grantee.to_owned(),
        operations: vec!["Decrypt".to_owned(), "DescribeKey".to_owned()],
    }
}

/// Key a with so many grants to another cluster's enclave role, and a second policy.
async fn with_grants(number: usize) -> World {
    World::start_with(|config| {
        let grants = (0..number).map(|index| grant(&format!("{index:03}"), OTHER_ROLE));
        config.keys[0].grants = grants.collect();
        config.keys[0].other_policies = vec!["AWS_RAM".to_owned()];
    })
    .await
}

#[tokio::test]
async fn they_are_listed_in_pages() {
    let world = with_grants(120).await;
    let list = || world.kms(who::ADMIN).list_grants().key_id(key("share-a"));
    let first = list().send().await.unwrap();
    assert_eq!((first.grants().len(), first.truncated), (50, true));
    let one = &first.grants()[0];
    assert_eq!(one.grantee_principal(), Some(OTHER_ROLE));
    assert_eq!(one.name(), Some("name-000"));
    let all = list().limit(50).into_paginator().items().send();
    let ids: Vec<_> = all.collect::<Result<Vec<_>, _>>().await.unwrap();
    let ids: Vec<_> = ids.iter().filter_map(|grant| grant.grant_id()).collect();
    assert_eq!((ids.len(), ids[0], ids[119]), (120, "000", "119"));
    let found = list().grant_id("007").send().await.unwrap();
    assert_eq!(found.grants().len(), 1);
    let nobody = list().grantee_principal("arn:aws:iam::111122223333:role/nobody");
    assert!(nobody.send().await.unwrap().grants().is_empty());
    assert_eq!(code(list().limit(101).send().await), "ValidationException");
    assert_eq!(
        code(list().marker("else").send().await),
        "InvalidMarkerException"
    );
}

#[tokio::test]
async fn policies_are_listed_in_pages() {
    let world = with_grants(0).await;
    let list = || {
        world
            .kms(who::ADMIN)
            .list_key_policies()
            .key_id(key("share-a"))
    };
    let first = list().limit(1).send().await.unwrap();
    assert_eq!(first.policy_names(), ["default"]);
    assert!(first.truncated);
    let all = list().limit(1).into_paginator().items().send();
    let all: Vec<_> = all.collect::<Result<Vec<_>, _>>().await.unwrap();
    assert_eq!(all, ["default", "AWS_RAM"]);
}

#[tokio::test]
async fn who_may_not_list_is_refused() {
    let world = with_grants(1).await;
    for caller in [who::CHAMBER, who::OTHER_CHAMBER, who::STRANGER] {
        let list = world.kms(caller).list_grants().key_id(key("share-a"));
        assert_eq!(code(list.send().await), "AccessDeniedException", "{caller}");
        let list = world.kms(caller).list_key_policies().key_id(key("share-a"));
        assert_eq!(code(list.send().await), "AccessDeniedException", "{caller}");
        let revoke = world.kms(caller).revoke_grant().key_id(key("share-a"));
        let revoke = revoke.grant_id("000").send().await;
        assert_eq!(code(revoke), "AccessDeniedException", "{caller}");
    }
}

/// What the lint warns of: the five statements deny only where there is no attestation.
#[tokio::test]
async fn a_grant_opens_the_key_to_any_enclave_until_it_is_revoked() {
    let world = with_grants(1).await;
    let wrap = world.kms(who::CHAMBER).encrypt().key_id(key("share-a"));
    let share = wrap.plaintext(Blob::new(b"share")).send().await.unwrap();
    let share = share.ciphertext_blob.unwrap();
    let enclave = Enclave::new(&world.root, FOREIGN);
    let decrypt = || {
        let decrypt = world.kms(who::OTHER_CHAMBER).decrypt();
        decrypt
            .key_id(key("share-a"))
            .ciphertext_blob(share.clone())
    };
    let opened = decrypt().recipient(enclave.recipient()).send().await;
    let opened = opened.unwrap().ciphertext_for_recipient.unwrap();
    assert_eq!(enclave.open(opened.as_ref()), b"share");
    assert_eq!(
        code(decrypt().send().await),
        "AccessDeniedException",
        "a Deny holds against it"
    );
    let revoke = || {
        let revoke = world.kms(who::ADMIN).revoke_grant();
        revoke.key_id(key("share-a")).grant_id("000")
    };
    revoke().send().await.unwrap();
    let refused = decrypt().recipient(enclave.recipient()).send().await;
    assert_eq!(code(refused), "AccessDeniedException");
    assert_eq!(code(revoke().send().await), "NotFoundException");
}
