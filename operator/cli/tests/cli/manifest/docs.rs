//! The commands of docs/cluster-manifest.md, run in their order as they stand there.

use cluster_manifest::Digest;
use nsm_emulator::TestRoot;

use super::sign::started;
use super::world::{
    CLUSTER, Folder, IMAGE, SIGNER, commitment, ends, has_openssl, inner, sealed, shell, text,
    told, with_manifest,
};

/// The page's key; it exists in the emulator alone.
const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

/// `kubectl chamber` is the program, under this test's root where it has one; `kubectl get secret` has the blob that
/// was sealed under the page's permit, and the one of the older cluster; each key has the commitment.
const PROGRAMS: &str = r#"kubectl() {
    case "$*" in
        *secret\ older-*) printf %s "$OLDER" ;;
        *secret*) printf %s "$BLOB" ;;
        chamber*--blob*) shift; "$PROGRAM" "$@" --root root.pem ;;
        *) shift; "$PROGRAM" "$@" ;;
    esac
}
aws() { printf %s "$COMMITMENT"; }
"#;

/// The cluster of the page before its seal, the older one, and what the shell knows.
fn prepared(folder: &Folder) -> Vec<(&'static str, String)> {
    let root = TestRoot::generate().unwrap();
    folder.write("root.pem", root.certificate_pem());
    folder.write("older.yaml", CLUSTER);
    let file = folder.write("chambercluster.yaml", CLUSTER);
    let permit = told(&ends(0, &["manifest", "render", "-f", &file]), "digest");
    let permit = Digest::parse(&permit).unwrap();
    vec![
        ("PROGRAM", env!("CARGO_BIN_EXE_kubectl-chamber").to_owned()),
        ("BLOB", text(&sealed(&root, Some(permit)))),
        ("OLDER", text(&inner())),
        ("COMMITMENT", commitment()),
        ("PCR0", hex::encode([IMAGE; 48])),
        ("PCR8", hex::encode([SIGNER; 48])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_do_what_it_says() {
    if !has_openssl() {
        return;
    }
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/cluster-manifest.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    let server = started(&[(KEY, "ECC_NIST_P384")]).await;
    let url = format!("http://{}", server.kms_address());
    let run = move || {
        let folder = Folder::new("docs");
        let known = prepared(&folder);
        let known = known.iter().map(|(name, value)| (*name, value.as_str()));
        let person = [
            ("AWS_ACCESS_KEY_ID", "AKIAPERSON"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_KMS", url.as_str()),
        ];
        let variables: Vec<_> = known.chain(person).collect();
        let mut commands = 0;
        for line in page.lines().filter_map(|line| line.strip_prefix("    $ ")) {
            let (command, status) = line.split_once("  # exit ").unwrap_or((line, "0"));
            if command.starts_with("kubectl get secret signer-") {
                // The page has the permit put there.
                let permit = folder.read("manifest.yaml");
                folder.write("chambercluster.yaml", with_manifest(&permit));
            }
            let run = shell(&folder, &format!("{PROGRAMS}{command}"), &variables);
            run.ends_as(line, status);
            commands += 1;
        }
        commands
    };
    let commands = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(commands, 23, "each is run");
    server.stop().await;
}
