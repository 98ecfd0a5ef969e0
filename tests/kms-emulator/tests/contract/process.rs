//! The binary: its first line, its end, its complaints.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nsm_emulator::TestRoot;

use crate::world;

fn command(config: &str, name: &str) -> (Command, PathBuf) {
    let file =
        std::env::temp_dir().join(format!("kms-emulator-{name}-{}.json", std::process::id()));
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kms-emulator"));
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--config",
    ]);
    command
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    (command, file)
}

#[test]
fn serves_until_sigterm_and_ends_well() {
    let root = TestRoot::generate().unwrap();
    let config = serde_json::to_string(&world::config(root.certificate_pem())).unwrap();
    let (mut command, file) = command(&config, "term");
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("kms=127.0.0.1:") && line.contains(" admin=127.0.0.1:"),
        "{line}"
    );
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_bad_configuration_is_named_and_nothing_is_served() {
    let root = TestRoot::generate().unwrap().certificate_pem();
    let with = |change: fn(&mut kms_emulator::Config)| {
        let mut config = world::config(root.clone());
        change(&mut config);
        serde_json::to_string(&config).unwrap()
    };
    let cases = [
        ("{".to_owned(), "configuration: EOF"),
        (
            with(|c| c.nitro_root_pem.clear()),
            "configuration, nitroRootPem",
        ),
        (
            with(|c| c.keys[1].policy = "none".into()),
            "configuration, keys[1].policy",
        ),
        (
            with(|c| c.roles[0].trust = "none".into()),
            "configuration, roles[0].trust",
        ),
        (
            with(|c| c.credentials[2].principal.clear()),
            "configuration, credentials[2].principal",
        ),
    ];
    for (config, complaint) in cases {
        let (mut command, file) = command(&config, "bad");
        let mut child = command.spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{complaint}");
        let mut errors = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        assert!(errors.contains(complaint), "{errors}, not {complaint}");
        assert!(
            !errors.contains("secret-of-"),
            "secrets are not printed: {errors}"
        );
        std::fs::remove_file(file).unwrap();
    }
}
