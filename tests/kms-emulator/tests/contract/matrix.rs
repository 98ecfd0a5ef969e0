//! The attack matrix: principal x measurement tuple x action x profile, each cell a signed request of AWS's client.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeyPairSpec, DataKeySpec, GrantOperation};
use key_policy::{Policy, Profile, Template};
use measurement::{Measurement, Pcr};
use serde_json::json;

use crate::enclave::Enclave;
use crate::world::{ACCOUNT, ADMIN, World, code, key, who};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/matrix.txt");
/// A role of another account whose IAM policies allow everything.
const ELSEWHERE: &str = "AKIAELSEWHERE";

/// Who asks, by name and access key.
const PRINCIPALS: [(&str, &str); 5] = [
    ("enclave", who::CHAMBER),
    ("admin", who::ADMIN),
    ("iam", who::POWER_USER),
    ("root", who::ROOT),
    ("elsewhere", ELSEWHERE),
];
/// What an enclave attests: PCR0 and PCR8. v1 is (1, 7), v2 is (2, 8), the retired v0 is (9, 7).
const TUPLES: [(&str, Option<(u8, u8)>); 9] = [
    ("none", None),
    ("v1", Some((1, 7))),
    ("v2", Some((2, 8))),
    ("v1+pcr8?", Some((1, 5))),
    ("v1+pcr8v2", Some((1, 8))),
    ("v2+pcr8v1", Some((2, 7))),
    ("v0+pcr8v1", Some((9, 7))),
    ("other", Some((4, 4))),
    ("debug", Some((0, 0))),
];
const ACTIONS: [&str; 7] = [
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "ReEncrypt",
    "Encrypt",
    "CreateGrant",
    "PutKeyPolicy",
];

fn release(image: u8, register: u8) -> Measurement {
    let mut release = Measurement::image(Pcr::from_bytes([image; 48]));
    release.registers.insert(8, Pcr::from_bytes([register; 48]));
    release
}

fn template(profile: Profile, pins: &[u8]) -> Template {
    Template {
        pins: pins.iter().copied().collect(),
        profile,
        ..Template::in_account("aws", ACCOUNT, "demo-local-signer")
    }
}

/// Everybody and everything that asks, made once.
struct Stage {
    world: World,
    share: Blob,
    enclaves: BTreeMap<&'static str, Enclave>,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start_with(|config| {
            let mut power = config
                .credentials
                .iter()
                .find(|c| c.access_key_id == who::POWER_USER);
            let mut elsewhere = power.take().unwrap().clone();
            ELSEWHERE.clone_into(&mut elsewhere.access_key_id);
            elsewhere.secret_access_key = crate::world::secret(ELSEWHERE);
            "arn:aws:iam::444455556666:user/elsewhere".clone_into(&mut elsewhere.principal);
            let mut allowed = config.identity_policies[0].clone();
            allowed.principal.clone_from(&elsewhere.principal);
            config.identity_policies.push(allowed);
            config.credentials.push(elsewhere);
        })
        .await;
        let kms = world.kms(who::CHAMBER);
        let wrapped = kms
            .encrypt()
            .key_id(key("share-a"))
            .plaintext(Blob::new(*b"share"));
        let share = wrapped.send().await.unwrap().ciphertext_blob.unwrap();
        let signer = |(name, tuple): (&'static str, Option<(u8, u8)>)| {
            let (image, register) = tuple?;
            let registers = BTreeMap::from([(0, [image; 48]), (8, [register; 48])]);
            Some((name, Enclave::with_registers(&world.root, registers)))
        };
        let enclaves = TUPLES.into_iter().filter_map(signer).collect();
        Self {
            world,
            share,
            enclaves,
        }
    }

    /// Whether a request is allowed; anything but an answer or a denial ends the test.
    async fn allowed(&self, caller: &str, action: &str, tuple: &str, policy: &str) -> bool {
        let kms = self.world.kms(caller);
        let refused = self.refusal(&kms, action, tuple, policy).await;
        match refused.as_deref() {
            // Some operations end where the policy lets them through.
            None | Some("UnsupportedOperationException") => true,
            Some("AccessDeniedException") => false,
            Some(other) => panic!("{caller} {action} {tuple}: {other}"),
        }
    }

    async fn refusal(
        &self,
        kms: &Client,
        action: &str,
        tuple: &str,
        policy: &str,
    ) -> Option<String> {
        let recipient = self.enclaves.get(tuple).map(Enclave::recipient);
        let id = key("share-a");
        match action {
            "Decrypt" => {
                let call = kms.decrypt().key_id(id).ciphertext_blob(self.share.clone());
                refused(call.set_recipient(recipient).send().await)
            }
            "GenerateDataKey" => {
                let call = kms
                    .generate_data_key()
                    .key_id(id)
                    .key_spec(DataKeySpec::Aes256);
                refused(call.set_recipient(recipient).send().await)
            }
            "GenerateDataKeyPair" => {
                let call = kms.generate_data_key_pair().key_id(id);
                let call = call.key_pair_spec(DataKeyPairSpec::EccNistP256);
                refused(call.set_recipient(recipient).send().await)
            }
            "ReEncrypt" => {
                let call = kms.re_encrypt().ciphertext_blob(self.share.clone());
                refused(
                    call.source_key_id(id)
                        .destination_key_id(key("share-a"))
                        .send()
                        .await,
                )
            }
            "Encrypt" => {
                let call = kms.encrypt().key_id(id).plaintext(Blob::new(*b"more"));
                refused(call.send().await)
            }
            "CreateGrant" => {
                let call = kms.create_grant().key_id(id).grantee_principal(ADMIN);
                refused(call.operations(GrantOperation::Decrypt).send().await)
            }
            _ => refused(kms.put_key_policy().key_id(id).policy(policy).send().await),
        }
    }
}

fn refused<T: std::fmt::Debug, E>(answer: Result<T, E>) -> Option<String>
where
    E: aws_sdk_kms::error::ProvideErrorMetadata
        + aws_sdk_kms::operation::RequestId
        + std::fmt::Debug,
{
    match answer {
        Ok(_) => None,
        refused => Some(code(refused)),
    }
}

/// One policy: what is live, what is pinned, and how much it binds.
struct Case {
    profile: Profile,
    pins: &'static [u8],
    live: Vec<(&'static str, Measurement)>,
}

fn cases() -> Vec<Case> {
    let (one, two) = (("v1", release(1, 7)), ("v2", release(2, 8)));
    let mut cases = Vec::new();
    for profile in [Profile::Standard, Profile::Pinned] {
        for pins in [&[][..], &[8]] {
            for live in [vec![one.clone()], vec![one.clone(), two.clone()]] {
                cases.push(Case {
                    profile,
                    pins,
                    live,
                });
            }
        }
    }
    cases
}

/// Law of the matrix, over every cell: what the profile promises.
fn promised(case: &Case, principal: &str, action: &str, tuple: &str, allowed: bool) {
    let images = |name: &str| match name {
        "v1" | "v1+pcr8?" | "v1+pcr8v2" => Some("v1"),
        "v2" | "v2+pcr8v1" => Some("v2"),
        _ => None,
    };
    let is_live = |name: &str| case.live.iter().any(|(live, _)| *live == name);
    let right_image = images(tuple).is_some_and(is_live);
    let right_tuple = is_live(tuple);
    let material = [
        "Decrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "ReEncrypt",
    ]
    .contains(&action);
    let pinned = case.profile == Profile::Pinned;
    let what = format!(
        "{:?} {:?} {principal} {action} {tuple}",
        case.profile, case.pins
    );
    if principal == "elsewhere" {
        assert!(!allowed, "{what}: another account");
    }
    if material && (tuple == "none" || principal == "admin" || action == "ReEncrypt") {
        assert!(!allowed, "{what}: nobody, ever");
    }
    if material && pinned && !right_image {
        assert!(!allowed, "{what}: an image that is not live");
    }
    if material && pinned && !case.pins.is_empty() && !right_tuple {
        assert!(!allowed, "{what}: a register of another release");
    }
    if principal == "enclave" && action == "Decrypt" {
        assert!(
            allowed || !right_tuple,
            "{what}: a live release is locked out"
        );
        assert!(right_image || !allowed, "{what}: an image that is not live");
    }
    if material && !pinned && ["iam", "root"].contains(&principal) && action != "ReEncrypt" {
        assert_eq!(
            allowed,
            tuple != "none",
            "{what}: the known hole of Standard"
        );
    }
}

#[tokio::test]
async fn every_cell_is_as_the_profile_promises() {
    let stage = Stage::set().await;
    let mut table = String::new();
    for case in cases() {
        let live: Vec<_> = case
            .live
            .iter()
            .map(|(_, release)| release.clone())
            .collect();
        let policy = template(case.profile, case.pins).render(&live).to_json();
        let put = stage
            .world
            .kms(who::ADMIN)
            .put_key_policy()
            .key_id(key("share-a"));
        put.policy(&policy).send().await.unwrap();
        let names: Vec<_> = case.live.iter().map(|(name, _)| *name).collect();
        let pins = if case.pins.is_empty() {
            ""
        } else {
            ", PCR8 pinned"
        };
        writeln!(table, "{:?}{pins}, live: {}", case.profile, names.join(" ")).unwrap();
        write!(table, "  {:<19} {:<9}", "action", "principal").unwrap();
        for (name, _) in TUPLES {
            write!(table, " {name:>9}").unwrap();
        }
        table.push('\n');
        for action in ACTIONS {
            for (principal, caller) in PRINCIPALS {
                write!(table, "  {action:<19} {principal:<9}").unwrap();
                for (tuple, _) in TUPLES {
                    let allowed = stage.allowed(caller, action, tuple, &policy).await;
                    promised(&case, principal, action, tuple, allowed);
                    write!(table, " {:>9}", if allowed { "allowed" } else { "-" }).unwrap();
                }
                table.push('\n');
            }
        }
        table.push('\n');
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(GOLDEN).unwrap_or_default());
}

/// Standard -> Pinned -> Standard, each policy read back and projected: what is live decrypts under the policy before
/// and after, whichever Decrypt enforces; and only Pinned keeps a retired image from an IAM principal.
#[tokio::test]
async fn a_profile_changes_without_a_moment_of_lock_out() {
    let stage = Stage::set().await;
    let live = [release(1, 7)];
    let admin = stage.world.kms(who::ADMIN);
    let first = template(Profile::Standard, &[]).render(&live).to_json();
    let put = admin.put_key_policy().key_id(key("share-a"));
    put.policy(first).send().await.unwrap();
    for (profile, retired_is_kept_out) in [(Profile::Pinned, true), (Profile::Standard, false)] {
        stage.world.knobs(json!({"decryptPolicyHold": true})).await;
        let found = admin
            .get_key_policy()
            .key_id(key("share-a"))
            .send()
            .await
            .unwrap();
        let found = Policy::parse(found.policy().unwrap()).unwrap();
        let next = key_policy::project(&found, &template(profile, &[]), &live).unwrap();
        let put = admin.put_key_policy().key_id(key("share-a"));
        put.policy(next.to_json()).send().await.unwrap();
        let decrypts = async |caller, tuple| stage.allowed(caller, "Decrypt", tuple, "").await;
        assert!(
            decrypts(who::CHAMBER, "v1").await,
            "{profile:?}, while the policy before is enforced"
        );
        stage.world.knobs(json!({})).await;
        assert!(decrypts(who::CHAMBER, "v1").await, "{profile:?}");
        assert_eq!(
            !decrypts(who::POWER_USER, "v0+pcr8v1").await,
            retired_is_kept_out,
            "{profile:?}"
        );
    }
}
