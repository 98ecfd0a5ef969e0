//! The workload's process: what it gets, and what is left of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enclave::workload::{Config, ConfigError, Output, Process};
use proptest::prelude::*;
use sealed_blob::MasterKey;
use tempfile::TempDir;
use unseal_agent::Workload;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that any user may write to, for as long as this lives.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A user of the test's own; without root there is only the one that runs it.
pub fn user(own: u32) -> u32 {
    let uid = rustix::process::getuid();
    if uid.is_root() { own } else { uid.as_raw() }
}

/// A shell with this script.
pub fn shell(script: &str, uid: u32) -> Process {
    let config = Config {
        args: vec!["-c".into(), script.into()],
        env: [("ONLY".to_owned(), "this".to_owned())].into(),
        port: 9000,
        uid,
    };
    Process::new("/bin/sh".into(), config, Output::Nowhere)
}

pub fn key(byte: u8) -> MasterKey {
    let filled = MasterKey::fill(|bytes| {
        bytes.fill(byte);
        Ok::<_, std::convert::Infallible>(())
    });
    filled.unwrap()
}

/// The file's text, once it is there and whole: scripts move it into its place.
async fn read(path: &Path) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(error) if Instant::now() > end => panic!("{}: {error}", path.display()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[tokio::test]
async fn it_gets_the_key_on_descriptor_3_and_nothing_else_of_the_agents() {
    let (folder, uid) = (folder(), user(54_301));
    // What the agent has open must not reach it, wherever it is.
    let kept = fs::File::open("/etc/passwd").unwrap();
    let inherited = rustix::io::fcntl_dupfd_cloexec(&kept, 20).unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let script = format!(
        "cd {}; exec 9>said.new
         key=$(head -c 32 <&3 | od -v -An -tx1 | tr -d ' \\n')
         echo \"key $key\" >&9
         echo \"fds $(for fd in /proc/self/fd/*; do readlink $fd; done | grep -c passwd)\" >&9
         echo \"user $(id -u) $(id -g) $(id -G)\" >&9
         grep NoNewPrivs /proc/self/status >&9
         echo \"core $(ulimit -Hc)\" >&9
         echo \"oom $(cat /proc/self/oom_score_adj)\" >&9
         echo \"session $(cut -d' ' -f6 /proc/$$/stat) $$\" >&9
         env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= >&9
         mv said.new said; cat <&3",
        folder.path().display()
    );
    // As the agent has one, only the other way: less needs rights that a test may not have.
    let _ = fs::write("/proc/self/oom_score_adj", "200");
    let mut workload = shell(&script, uid);
    workload.start().await.unwrap();
    workload.start().await.unwrap();
    workload.hand_over(&key(0xab)).await.unwrap();
    let said = read(&folder.path().join("said")).await;
    workload.stop().await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("key {}", "ab".repeat(32)));
    assert_eq!(lines[1], "fds 0", "descriptor 20 was inheritable");
    if rustix::process::getuid().is_root() {
        assert_eq!(lines[2], format!("user {uid} {uid} {uid}"));
    }
    assert_eq!(lines[3], "NoNewPrivs:\t1");
    assert_eq!(lines[4], "core 0");
    assert_eq!(lines[5], "oom 0", "the mark was not taken back");
    let session: Vec<&str> = lines[6].split(' ').collect();
    assert_eq!(session[1], session[2], "a session of its own");
    assert_eq!(lines[7..], ["ONLY=this"]);
}

#[tokio::test]
async fn the_end_of_the_pipe_is_the_wish_to_end_and_requests_are_finished() {
    let folder = folder();
    let script = format!(
        "cd {}; cat <&3 >/dev/null; echo finished > said",
        folder.path().display()
    );
    let mut workload = shell(&script, user(54_302));
    workload.start().await.unwrap();
    workload.hand_over(&key(1)).await.unwrap();
    workload.stop().await;
    assert_eq!(
        fs::read_to_string(folder.path().join("said")).unwrap(),
        "finished\n"
    );
}

#[tokio::test]
async fn what_does_not_end_is_killed_with_all_that_it_left_behind() {
    if !rustix::process::getuid().is_root() {
        let demanded = std::env::var_os("SKIP_NOTHING").is_some();
        assert!(!demanded, "only root has a user to sweep");
        println!("skipped: only root has a user to sweep");
        return;
    }
    let folder = folder();
    let script = format!(
        "cd {}; setsid sh -c 'trap \"\" TERM HUP; echo $$ > left.new; mv left.new left; sleep 600' & trap '' TERM; sleep 600",
        folder.path().display()
    );
    let mut workload = shell(&script, user(54_303)).draining_for(Duration::from_millis(50));
    workload.start().await.unwrap();
    let left = read(&folder.path().join("left")).await;
    let left = PathBuf::from(format!("/proc/{}/cmdline", left.trim()));
    assert!(!fs::read(&left).unwrap().is_empty());
    workload.stop().await;
    let end = Instant::now() + PATIENCE;
    // Dead ones that nobody reaps have no command line.
    while fs::read(&left).is_ok_and(|line| !line.is_empty()) {
        assert!(Instant::now() < end, "{} is still there", left.display());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_that_ended_is_told_about_and_started_anew() {
    let folder = folder();
    let script = format!(
        "cd {}; head -c 32 <&3 | od -v -An -tx1 | tr -d ' \\n' >> keys; exit 7",
        folder.path().display()
    );
    let mut workload = shell(&script, user(54_304));
    assert_eq!(workload.ended().await, "the workload was not started");
    for byte in [0x11, 0x22] {
        workload.start().await.unwrap();
        workload.hand_over(&key(byte)).await.unwrap();
        assert_eq!(
            workload.ended().await,
            "the workload ended with exit status: 7"
        );
    }
    let keys = fs::read_to_string(folder.path().join("keys")).unwrap();
    assert_eq!(keys, format!("{}{}", "11".repeat(32), "22".repeat(32)));
    let gone = workload.hand_over(&key(3)).await.unwrap_err();
    assert_eq!(gone.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_program_that_is_missing_is_named() {
    let mut workload = Process::new("/no/workload".into(), Config::default(), Output::Nowhere);
    let error = workload.start().await.unwrap_err().to_string();
    assert!(error.starts_with("/no/workload: "), "{error}");
}

#[test]
fn the_file_has_defaults_and_refuses_what_starts_no_program() {
    assert_eq!(Config::parse(b"{}").unwrap(), Config::default());
    let whole = br#"{"args":["serve"],"env":{"LOG":"info"},"port":8443,"uid":2000}"#;
    let config = Config::parse(whole).unwrap();
    assert_eq!((config.port, config.uid), (8443, 2000));
    let field = |json: &str| match Config::parse(json.as_bytes()) {
        Err(ConfigError::Value { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(r#"{"uid":0}"#), "uid");
    assert_eq!(field(r#"{"uid":65534}"#), "uid");
    assert_eq!(field(r#"{"uid":4294967295}"#), "uid");
    assert_eq!(field(r#"{"port":0}"#), "port");
    assert_eq!(field(r#"{"args":["a\u0000"]}"#), "args");
    assert_eq!(field(r#"{"env":{"A=B":""}}"#), "env");
    assert_eq!(field(r#"{"env":{"":""}}"#), "env");
    assert_eq!(field(r#"{"env":{"A":"\u0000"}}"#), "env");
    for unknown in [
        r#"{"user":1}"#,
        r#"{"port":70000}"#,
        r#"{"uid":-1}"#,
        "[]",
        "",
    ] {
        let error = Config::parse(unknown.as_bytes()).unwrap_err();
        assert!(matches!(error, ConfigError::Json(_)), "{unknown}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Config::parse(&bytes);
    }

    #[test]
    fn whatever_is_taken_can_be_started(
        args in prop::collection::vec(".*", 0..4),
        env in prop::collection::btree_map(".*", ".*", 0..4),
        port in any::<u16>(),
        uid in any::<u32>(),
    ) {
        let json = serde_json::json!({"args": args, "env": env, "port": port, "uid": uid});
        if let Ok(config) = Config::parse(json.to_string().as_bytes()) {
            prop_assert_eq!((&config.args, &config.env), (&args, &env));
            prop_assert!(config.port != 0 && config.uid != 0 && config.uid < 65_534);
            let nul = |text: &String| text.contains('\0');
            prop_assert!(!config.args.iter().any(nul) && !config.env.values().any(nul));
        }
    }
}
