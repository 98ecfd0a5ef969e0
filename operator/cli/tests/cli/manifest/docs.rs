//! The commands of docs/cluster-manifest.md, run in their order as they stand there.

use super::sign::started;
use super::world::{CLUSTER, Folder, IMAGE, SIGNER, has_openssl, inner, shell, text};

/// The page's key; it exists in the emulator alone.
const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

/// `kubectl chamber` is the program, and `kubectl get secret` has one blob.
const KUBECTL: &str = r#"kubectl() {
    if [ "$1" = chamber ]; then shift; "$PROGRAM" "$@"; else printf %s "$BLOB"; fi
}
"#;

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
        folder.write("chambercluster.yaml", CLUSTER);
        let blob = text(&inner());
        let (image, signer) = (hex::encode([IMAGE; 48]), hex::encode([SIGNER; 48]));
        let variables = [
            ("PROGRAM", env!("CARGO_BIN_EXE_kubectl-chamber")),
            ("BLOB", blob.as_str()),
            ("PCR0", image.as_str()),
            ("PCR8", signer.as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIAPERSON"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_KMS", url.as_str()),
        ];
        let mut commands = 0;
        for line in page.lines().filter_map(|line| line.strip_prefix("    $ ")) {
            let (command, status) = line.split_once("  # exit ").unwrap_or((line, "0"));
            let run = shell(&folder, &format!("{KUBECTL}{command}"), &variables);
            assert_eq!(
                run.status.to_string(),
                status,
                "{line}: {}{}",
                run.out,
                run.err
            );
            commands += 1;
        }
        commands
    };
    let commands = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(commands, 16, "each is run");
    server.stop().await;
}
