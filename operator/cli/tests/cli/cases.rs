//! What people ran into, here and with other tools, each with its right answer.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::api_server::{ApiServer, Kubeconfig, with_variables};
use crate::{ENCLAVE, Run, chamber, hash, lint, rendered};

const SIGNER: &str = "/apis/chamber.dev/v1alpha1/namespaces/chambers/chamberclusters/signer";
const THIS_KEY: &str =
    "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-1111-4222-8333-444455556666";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("kubectl-chamber-cases-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.0.join(name);
        std::fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The template's policy for one image.
fn good() -> Value {
    serde_json::from_str(&rendered(&[&hash("5c")], &[])).unwrap()
}

/// The same with one statement more.
fn with(statement: Value) -> String {
    let mut policy = good();
    policy["Statement"].as_array_mut().unwrap().push(statement);
    policy.to_string()
}

/// A Deny of everything to everybody under a condition.
fn fence(name: &str, condition: &Value) -> Value {
    json!({"Sid": name, "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition})
}

/// What the enclave role is answered that decrypts with the image.
fn explained(policy: &str, more: &[&str]) -> Run {
    let image = hash("5c");
    let question = ["policy", "explain", "-", "--principal", ENCLAVE];
    let call = ["--action", "kms:Decrypt", "--measurement", &image];
    chamber(&[&question[..], &call, more].concat(), policy)
}

fn first_line(run: &Run) -> (i32, &str) {
    (run.status, run.out.lines().next().unwrap_or_default())
}

/// Lint was green, and nobody could decrypt: somebody else's Deny, statements that are gone, a pin that binds nothing.
#[test]
fn lint_is_not_green_where_nobody_can_decrypt() {
    let clean = lint(&good().to_string(), &[]);
    assert_eq!(clean.status, 0, "{}", clean.out);
    assert!(clean.out.contains("0 errors, 0 warnings, 3 notes\n"));

    let audit = json!({"Sid": "FrozenForTheAudit", "Effect": "Deny", "Principal": {"AWS": ENCLAVE}, "Action": "kms:*", "Resource": "*"});
    let frozen = with(audit);
    let found = lint(&frozen, &[]);
    assert_eq!(found.status, 1);
    let told = " enclave-denied\n        statement FrozenForTheAudit keeps the enclave role from kms:Decrypt";
    assert!(found.out.contains(told), "{}", found.out);
    let denied = (1, "denied by statement FrozenForTheAudit");
    assert_eq!(first_line(&explained(&frozen, &[])), denied);

    let mut short = good();
    let is_enclaves = |one: &Value| one["Principal"]["AWS"] == ENCLAVE;
    let statements = short["Statement"].as_array_mut().unwrap();
    statements.retain(|one| !is_enclaves(one));
    let found = lint(&short.to_string(), &[]);
    assert_eq!(found.status, 1);
    assert_eq!(found.out.matches(" missing-statement\n").count(), 2);

    let mut unsigned = good();
    let pinned = &mut unsigned["Statement"][2]["Condition"]["StringEqualsIgnoreCase"];
    pinned["kms:RecipientAttestation:PCR8"] = json!([hash("00")]);
    let found = lint(&unsigned.to_string(), &[]);
    assert_eq!(found.status, 1);
    assert!(found.out.contains(" zero-measurement\n"), "{}", found.out);
}

/// Conditions on who asks follow from the question; what does not follow is said.
#[test]
fn who_asks_is_known_and_from_where_is_not() {
    let others = with(fence(
        "OnlyThisAccount",
        &json!({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}}),
    ));
    let statement3 = "allowed by statement AllowChamberEnclaveDecryptWithAttestation";
    assert_eq!(first_line(&explained(&others, &[])), (0, statement3));

    let mut caller = good();
    let condition = &mut caller["Statement"][2]["Condition"];
    condition["StringEquals"] = json!({"kms:CallerAccount": "111122223333"});
    let caller = caller.to_string();
    assert_eq!(first_line(&explained(&caller, &[])), (0, statement3));

    let list = json!({"StringNotEquals": {"aws:PrincipalArn": [
        "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"]}});
    let forgets = with(fence("TheListAlone", &list));
    let denied = (1, "denied by statement TheListAlone");
    assert_eq!(first_line(&explained(&forgets, &[])), denied);

    let network = with(fence(
        "FromOurNetwork",
        &json!({"StringNotEquals": {"aws:SourceVpce": "vpce-0a"}}),
    ));
    let depends = (3, "depends on aws:SourceVpce (statement FromOurNetwork)");
    assert_eq!(first_line(&explained(&network, &[])), depends);
    let said = explained(&network, &["--context", "aws:SourceVpce=vpce-0a"]);
    assert_eq!(first_line(&said), (0, statement3));
}

/// IAM policies name keys, as IAM wants it: with the key's ARN they are judged, without it nothing is guessed.
#[test]
fn an_identity_policy_that_names_the_key_is_judged() {
    let folder = Folder::new("identity");
    let statement = |effect: &str, action: &str, resource: &str| json!({"Sid": effect, "Effect": effect, "Action": action, "Resource": resource});
    let identity = |name: &str, statements: &[Value]| {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        folder.write(name, policy.to_string())
    };
    let by_arn = identity("arn", &[statement("Allow", "kms:Decrypt", THIS_KEY)]);
    let account = "arn:aws:kms:us-east-1:111122223333:key/*";
    let by_account = identity("account", &[statement("Allow", "kms:Decrypt", account)]);
    let by_star = identity("star", &[statement("Allow", "kms:*", "*")]);
    let denies = [
        statement("Allow", "kms:*", "*"),
        statement("Deny", "kms:Decrypt", THIS_KEY),
    ];
    let denies = identity("deny", &denies);
    let analyst = "arn:aws:iam::111122223333:role/analyst";
    let image = hash("5c");
    let ask = |identity: &str, more: &[&str]| {
        let question = ["policy", "explain", "-", "--principal", analyst];
        let call = ["--action", "kms:Decrypt", "--measurement", &image];
        let arguments = [&question[..], &call, &["--identity", identity], more].concat();
        chamber(&arguments, &good().to_string())
    };
    let allowed = "allowed by statement EnableIAMRootPermissionsBreakGlass";
    for identity in [&by_arn, &by_account, &by_star] {
        let run = ask(identity, &["--key", THIS_KEY]);
        assert_eq!(first_line(&run), (0, allowed), "{identity}");
    }
    let run = ask(&denies, &["--key", THIS_KEY]);
    assert_eq!(first_line(&run), (1, "denied by statement Deny"));
    for (identity, status) in [(&by_star, 0), (&by_arn, 3), (&denies, 3)] {
        assert_eq!(ask(identity, &[]).status, status, "{identity}");
    }
    let another = THIS_KEY.replace("0a1b2c3d", "ffffffff");
    assert_eq!(ask(&by_arn, &["--key", &another]).status, 1);
    assert_eq!(ask(&denies, &["--key", &another]).status, 0);
}

/// Policies as editors, shells and the AWS CLI leave them are read.
#[test]
fn files_are_read_as_people_have_them() {
    let folder = Folder::new("files");
    let plain = serde_json::to_string_pretty(&good()).unwrap();
    let utf16: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wrapped = json!({"Policy": plain, "PolicyName": "default"});
    let wrapped = serde_json::to_string_pretty(&wrapped).unwrap();
    let files = [
        ("plain", plain.clone().into_bytes()),
        ("crlf", plain.replace('\n', "\r\n").into_bytes()),
        ("wrapped", wrapped.clone().into_bytes()),
        ("bom", [&[0xef, 0xbb, 0xbf], plain.as_bytes()].concat()),
        ("utf16", [&[0xff, 0xfe], &utf16[..]].concat()),
        ("wrapped-crlf", wrapped.replace('\n', "\r\n").into_bytes()),
    ];
    for (name, bytes) in files {
        let file = folder.write(name, bytes);
        let run = chamber(&["policy", "lint", &file], "");
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);
        assert!(
            run.out.contains("0 errors, 0 warnings, 3 notes\n"),
            "{name}"
        );
    }
    let run = chamber(&["policy", "lint", "-"], &wrapped);
    assert_eq!(run.status, 0, "{}", run.err);
}

/// Statements that nobody named, as CDK writes them.
fn unnamed() -> Vec<Value> {
    let allow = |who: &str, actions: Value| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": actions, "Resource": "*"});
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    vec![
        allow("arn:aws:iam::111122223333:root", json!("kms:*")),
        allow(&role("archive"), json!(["kms:DescribeKey"])),
        allow(
            &role("reviewer"),
            json!(["kms:GetKeyPolicy", "kms:ListGrants"]),
        ),
        allow(&role("batch"), json!(["kms:Decrypt", "kms:DescribeKey"])),
    ]
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// One statement in the middle, and a list in another order: one statement was added.
#[test]
fn an_inserted_statement_is_all_that_a_diff_tells() {
    let folder = Folder::new("diff");
    let mut after = unnamed();
    after[2]["Action"] = json!(["kms:ListGrants", "kms:GetKeyPolicy"]);
    let inserted = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/stocktaking"},
        "Action": ["kms:ListResourceTags"], "Resource": "*"});
    after.insert(1, inserted);
    let after = folder.write("after.json", document(&after));
    let run = chamber(&["policy", "diff", "-", &after], &document(&unnamed()));
    let expected = "\
#1 (added)
  + Action kms:ListResourceTags
  + Effect Allow
  + Principal AWS arn:aws:iam::111122223333:role/stocktaking
  + Resource *
#n counts from 0: in the policy before, and for what is added in the policy after
";
    assert_eq!((run.status, run.out.as_str()), (1, expected));
}

/// A resource with three keys that has not begun.
fn cluster(namespace: &str, threshold: u8) -> Value {
    let share = |name: &str| {
        json!({"name": name, "arn": format!("arn:aws:kms:us-east-1:111122223333:key/{name}"), "management": "Managed",
            "assumeRoleArn": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"})
    };
    json!({"apiVersion": "chamber.dev/v1alpha1", "kind": "ChamberCluster",
        "metadata": {"name": "signer", "namespace": namespace},
        "spec": {"clusterId": "prod-us-east-1-mainnet",
            "release": {"image": "chamber:1", "measurement": {"imageSha384": hash("5c")}},
            "keys": {"threshold": threshold, "shares": [share("a"), share("b"), share("c")], "policy": {"adopt": true}},
            "verification": {"prometheus": {"url": "http://prometheus:9090"}}}})
}

/// An API server for somebody with the role `view` in the namespace `chambers`: everything else is forbidden.
fn viewed(signer: Value) -> ApiServer {
    ApiServer::start_with(move |path| {
        let path = path.split('?').next().unwrap();
        if path == SIGNER {
            return Some(signer.clone());
        }
        let message = format!("{path} is forbidden: the user cannot get it");
        let own = path.contains("/namespaces/chambers/");
        (!own).then(|| {
            json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message})
        })
    })
}

/// A plan by files for each of the three keys, as that user.
fn planned(name: &str, signer: Value, policy: &str, more: &[&str]) -> (Run, Vec<String>) {
    let folder = Folder::new(name);
    for share in ["a", "b", "c"] {
        folder.write(&format!("{share}.json"), policy);
    }
    let api = viewed(signer);
    let server = json!({"server": format!("http://127.0.0.1:{}", api.port())});
    let kubeconfig = Kubeconfig::of(name, &[("one", server)]);
    let policies = folder.path().to_str().unwrap();
    let arguments = [&["plan", "signer", "--policies", policies], more].concat();
    let run = with_variables(&arguments, &[("KUBECONFIG", &kubeconfig.file())]);
    let paths = api.seen();
    let path = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
    (run, paths.iter().map(path).collect())
}

/// No right outside of the namespace is needed; that tags were not compared is said, unless status tells whose they are.
#[test]
fn a_user_who_may_view_one_namespace_plans() {
    let (run, _) = planned("viewer", cluster("chambers", 2), &good().to_string(), &[]);
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    assert!(
        run.out
            .starts_with("signer  plan: the first start of 5c5c5c5c5c\n")
    );
    let told = "whose tags the keys carry was not compared: ";
    let errors: Vec<_> = run.err.lines().collect();
    assert!(errors.len() == 1 && errors[0].contains(told), "{}", run.err);
    assert!(!run.err.contains("Status {"), "{}", run.err);
    let last = run.out.lines().last().unwrap();
    assert!(
        last.starts_with("not shown here: service control policies, resource control policies, ")
    );

    let mut told = cluster("chambers", 2);
    told["status"] = json!({"externalId": "1-2/3-4/chambers/signer"});
    let (run, asked) = planned("status", told, &good().to_string(), &[]);
    assert_eq!((run.status, run.err.as_str()), (0, ""), "{}", run.out);
    assert_eq!(
        asked,
        [SIGNER],
        "nothing outside of the namespace is asked for"
    );
}

/// Two of one name in a file are told apart by their namespaces, in either order; a List has items, as kubectl writes it.
#[test]
fn the_manifest_of_the_namespace_is_planned_for() {
    let (ours, theirs) = (cluster("chambers", 2), cluster("staging", 9));
    let list =
        |items: &[&Value]| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let folder = Folder::new("manifests");
    for (name, content) in [
        ("before", format!("{theirs}\n---\n{ours}")),
        ("behind", format!("{ours}\n---\n{theirs}")),
        ("list", list(&[&theirs, &ours])),
    ] {
        let file = folder.write(name, content);
        let policy = good().to_string();
        let (run, _) = planned(name, ours.clone(), &policy, &["--file", &file]);
        assert_eq!(run.status, 0, "{name}: {}{}", run.out, run.err);
    }
    let file = folder.write("theirs", theirs.to_string());
    let policy = good().to_string();
    let (run, _) = planned("theirs", ours, &policy, &["--file", &file]);
    assert_eq!(run.status, 2);
    assert!(
        run.err
            .contains("has no ChamberCluster signer of namespace chambers")
    );
}

/// A fence that forgets the enclave role is told before anything is changed.
#[test]
fn a_plan_objects_to_a_fence_that_forgets_the_enclave() {
    let list = json!({"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/ChamberKmsKeyAdmin"}});
    let list = fence("TheListAlone", &list);
    let mut data = list;
    data["Action"] = json!("kms:Decrypt");
    let (run, _) = planned("fence", cluster("chambers", 2), &with(data), &[]);
    assert_eq!(run.status, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("  ForeignDeny: "), "{}", run.out);
    assert!(run.out.contains("TheListAlone"), "{}", run.out);
}

/// Taking a key over adds the five statements and removes none; what stands in the way has its number in the file.
#[test]
fn a_takeover_adds_five_statements_and_removes_none() {
    let (run, _) = planned(
        "takeover",
        cluster("chambers", 2),
        &document(&unnamed()),
        &[],
    );
    assert_eq!(run.status, 1, "{}{}", run.out, run.err);
    let of_first_key = run.out.split("\nkey b ").next().unwrap();
    assert!(!of_first_key.contains("(removed)"), "{of_first_key}");
    assert_eq!(of_first_key.matches("(added)").count(), 5, "{of_first_key}");
    assert!(run.out.contains("statement #3 "), "{}", run.out);
}
