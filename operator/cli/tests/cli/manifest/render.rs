//! `manifest render`: a permit before the first seal, a run manifest after it.

use cluster_manifest::{Digest, Kind, Manifest};
use nsm_emulator::TestRoot;
use serde_json::{Value, json};

use super::world::{CLUSTER, Folder, commitment, ends, inner, sealed, text, told, with_manifest};
use crate::api_server::{ApiServer, Kubeconfig, with_variables};
use crate::chamber;

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}

#[test]
fn a_cluster_without_a_blob_gets_a_seal_permit_for_its_releases_signer() {
    let folder = Folder::new("permit");
    let file = folder.write("c.yaml", CLUSTER);
    let run = ends(0, &["manifest", "render", "-f", &file]);
    let keys = ["a", "b"].map(|id| format!("arn:aws:kms:us-east-1:111122223333:key/{id}"));
    let body = json!({
        "kind": "SealPermit", "clusterId": "test-local-signer", "generation": 1, "threshold": 2,
        "keys": keys, "signers": ["8a".repeat(48)],
    });
    assert_eq!(
        yaml(&run.out),
        json!({"manifest": {"body": body, "signatures": []}})
    );
    assert!(
        run.err
            .starts_with("seal permit of cluster test-local-signer, generation 1\n"),
        "{}",
        run.err
    );
    let json = ends(0, &["manifest", "render", "-f", &file, "-o", "json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).unwrap(),
        yaml(&run.out)
    );
    let stdin = chamber(&["manifest", "render", "-f", "-"], CLUSTER);
    assert_eq!(stdin.out, run.out);
}

#[test]
fn the_body_is_the_bytes_that_are_signed() {
    let folder = Folder::new("body");
    let file = folder.write("c.yaml", CLUSTER);
    let program = env!("CARGO_BIN_EXE_kubectl-chamber");
    let output = std::process::Command::new(program)
        .args(["manifest", "render", "-f", &file, "-o", "body"])
        .output()
        .unwrap();
    let manifest = Manifest::decode(&output.stdout).unwrap();
    assert_eq!(manifest.kind, Kind::SealPermit);
    let told = String::from_utf8(output.stderr).unwrap();
    let digest = Digest::of(&output.stdout);
    assert!(
        told.contains(&digest.to_string()) && told.contains(&digest.register().to_string()),
        "{told}"
    );
}

#[test]
fn who_may_seal_is_who_the_flags_name_or_the_image() {
    let folder = Folder::new("sealers");
    let unsigned: String = CLUSTER
        .lines()
        .filter(|line| !line.contains("pcr8"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let file = folder.write("c.yaml", unsigned);
    let (one, two) = ("01".repeat(48), "02".repeat(48));
    for (flags, signers, images) in [
        (vec![], json!(null), json!(["1a".repeat(48)])),
        (
            vec!["--signer", &two, "--signer", &one],
            json!([one, two]),
            json!(null),
        ),
        (vec!["--sealing-image", &two], json!(null), json!([two])),
        (
            vec!["--sealing-image", &two, "--signer", &one],
            json!([one]),
            json!([two]),
        ),
    ] {
        let run = ends(
            0,
            &[&["manifest", "render", "-f", &file][..], &flags].concat(),
        );
        let body = &yaml(&run.out)["manifest"]["body"];
        assert_eq!(
            (&body["signers"], &body["sealingImages"]),
            (&signers, &images)
        );
    }
    let zeros = "0".repeat(96);
    let run = ends(1, &["manifest", "render", "-f", &file, "--signer", &zeros]);
    assert!(run.err.contains("signers: a reserved value"), "{}", run.err);
}

#[test]
fn a_blob_gets_a_run_manifest_and_is_told_what_it_shows() {
    let folder = Folder::new("run");
    let file = folder.write("c.yaml", CLUSTER);
    let root = TestRoot::generate().unwrap();
    let pem = folder.write("root.pem", root.certificate_pem());
    let permit = told(&ends(0, &["manifest", "render", "-f", &file]), "digest");
    let permit = Digest::parse(&permit).unwrap();
    for (inner, shows) in [
        (
            sealed(&root, Some(permit)),
            "under a seal permit in its locked PCR16",
        ),
        (sealed(&root, None), "without a seal permit"),
        (inner(), "no sealing document (format 1)"),
    ] {
        let blob = folder.write("blob.txt", text(&inner));
        let (render, compared) = (["manifest", "render", "-f", &file], commitment());
        let flags = ["--blob", &blob, "--root", &pem, "--commitment", &compared];
        let run = ends(0, &[&render[..], &flags].concat());
        assert!(run.err.contains(shows), "{}", run.err);
        let body = &yaml(&run.out)["manifest"]["body"];
        assert_eq!(body["kind"], "Run");
        assert_eq!(body["commitment"], "c0".repeat(32));
    }
}

#[test]
fn a_blob_that_somebody_else_made_is_not_one_to_sign_for() {
    let folder = Folder::new("foreign");
    let file = folder.write("c.yaml", CLUSTER);
    let root = TestRoot::generate().unwrap();
    let pem = folder.write("root.pem", root.certificate_pem());
    let blob = folder.write("blob.txt", text(&sealed(&root, None)));
    let render = |more: &[&str]| {
        ends(
            1,
            &[
                &["manifest", "render", "-f", &file, "--blob", &blob][..],
                more,
            ]
            .concat(),
        )
    };
    let run = render(&[]);
    assert!(
        run.err.contains("its root is not the one trusted here"),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    let run = render(&["--root", &pem, "--signer", &"01".repeat(48)]);
    for (flag, byte) in [("--sealing-image", "1a"), ("--signer", "8a")] {
        let flag = format!("{flag} {}", byte.repeat(48));
        assert!(run.err.contains(&flag), "{}", run.err);
    }
    let mut other = inner();
    other.shares.reverse();
    folder.write("blob.txt", text(&other));
    let run = render(&["--root", &pem]);
    assert!(
        run.err
            .contains("the sealed blob: spec.manifest.body.keys is"),
        "{}",
        run.err
    );
}

#[test]
fn a_later_generation_needs_the_digest_of_the_one_before() {
    let folder = Folder::new("generation");
    let mut second = inner();
    second.generation = 2;
    let blob = folder.write("blob.txt", text(&second));
    let file = folder.write("c.yaml", CLUSTER);
    let compared = commitment();
    let render = |more: &[&str]| {
        let render = ["manifest", "render", "-f", &file, "--commitment", &compared];
        chamber(&[&render[..], &["--blob", &blob], more].concat(), "")
    };
    let run = render(&[]);
    assert_eq!(run.status, 2, "{}", run.err);
    assert!(run.err.contains("--previous is missing"), "{}", run.err);
    let previous = "07".repeat(48);
    let run = render(&["--previous", &previous]);
    assert_eq!(yaml(&run.out)["manifest"]["body"]["previous"], previous);
    // The manifest that the resource has is the one before.
    folder.write("blob.txt", text(&inner()));
    let first = render(&[]);
    let digest = told(&first, "digest");
    folder.write("c.yaml", with_manifest(&first.out));
    folder.write("blob.txt", text(&second));
    assert_eq!(
        yaml(&render(&[]).out)["manifest"]["body"]["previous"],
        digest
    );
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let folder = Folder::new("unreadable");
    let file = folder.write("c.yaml", CLUSTER);
    let none = folder.write("none.yaml", "kind: ConfigMap\n");
    let sealed = folder.write(
        "sealed.yaml",
        format!("{CLUSTER}status: {{ rollovers: 1, commitment: c0, verbs: {{}} }}\n"),
    );
    let blob = folder.write("blob.txt", "no blob");
    let good = folder.write("good.txt", text(&inner()));
    let other = "01".repeat(48);
    let cases: [(&[&str], &str); 7] = [
        (&["-f", &none], "has 0 ChamberClusters, expected one"),
        (&["-f", &sealed], "give its blob with --blob"),
        (&["-f", &file, "--blob", &blob], "is no sealed blob"),
        (
            &["-f", &file, "--blob", &good, "--measurement", &other],
            "PCR8, whose value is not known",
        ),
        (&["-f", &file, "--blob", &good, "--root", &file], "not PEM"),
        (&["signer", "-f", &file], "cannot be used with"),
        (&[], "required arguments"),
    ];
    for (arguments, words) in cases {
        let run = ends(2, &[&["manifest", "render"][..], arguments].concat());
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
    }
}

/// The resource and, where a blob is given, its Secret.
fn server(blob: Option<String>, commitment: Option<&str>) -> ApiServer {
    let mut cluster = yaml(CLUSTER);
    cluster["status"] = json!({"rollovers": 1, "verbs": {}, "commitment": commitment});
    ApiServer::start_with(move |path| {
        if path.contains("/secrets/") {
            let data = blob
                .as_ref()
                .filter(|_| path.contains("/secrets/signer-sealed-"))?;
            let value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
            return Some(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"blob": value}}),
            );
        }
        Some(cluster.clone())
    })
}

#[test]
fn a_name_is_looked_up_with_its_sealed_secret() {
    let blob = || Some(text(&inner()));
    let (own, other) = (commitment(), "f0".repeat(32));
    let compared = ["--commitment", &own];
    let cases: [(_, Option<&str>, &[&str], _, _); 6] = [
        (None, None, &[], 0, "kind: SealPermit"),
        (None, None, &compared, 2, "nothing is sealed"),
        (blob(), Some(&own), &compared, 0, "kind: Run"),
        (blob(), None, &compared, 0, "kind: Run"),
        (blob(), Some(&other), &compared, 1, "Secret signer-sealed-"),
        (
            None,
            Some(&own),
            &[],
            2,
            "no Secret signer-sealed-... holds its blob",
        ),
    ];
    for (blob, commitment, more, status, words) in cases {
        let server = server(blob, commitment);
        let cluster = json!({"server": format!("http://127.0.0.1:{}", server.port())});
        let kubeconfig = Kubeconfig::of("manifest", &[("one", cluster)]);
        let arguments = ["manifest", "render", "signer", "-n", "chambers"];
        let arguments = [&arguments[..], more].concat();
        let run = with_variables(&arguments, &[("KUBECONFIG", &kubeconfig.file())]);
        assert_eq!(run.status, status, "{}", run.err);
        assert!(
            format!("{}{}", run.out, run.err).contains(words),
            "{}{}",
            run.out,
            run.err
        );
    }
}
