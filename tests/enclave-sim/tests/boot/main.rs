//! An enclave's kernel boots on the devices, attests, and talks to its parent both ways.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use attestation::{At, Root, Verified, verify};
use aws_nitro_enclaves_nsm_api::api::Response;
use eif_build::Ramdisk;
use enclave_sim::pcrs::Pcrs;
use enclave_sim::{Launch, Qemu, RunDir, Sockets};
use measurement::Pcr;
use measurement::eif::{self, Image};
use nsm_emulator::TestRoot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// Longest that one run may take; on a busy machine 15 s were seen.
const LIMIT: Duration = Duration::from_secs(90);
const BYTES: usize = 4 << 20;
/// The command line of AWS's own images, but for a panic, which ends the run at once.
const CMDLINE: &str = "console=ttyS0 reboot=t panic=-1 pci=off nomodules random.trust_cpu=on";

/// The last line that a script prints.
fn last_line(script: &str, arguments: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let output = Command::new("bash")
        .arg(&path)
        .args(arguments)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    PathBuf::from(text.lines().last().unwrap())
}

/// The test's first process, as the only file of an image.
fn image(folder: &Path) -> PathBuf {
    let init = folder.join("init");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boot/init.c");
    let compiled = Command::new("cc")
        .args([
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-static",
            "-o",
        ])
        .args([init.as_os_str(), source.as_ref()])
        .status();
    assert!(compiled.unwrap().success());
    let kernel = std::env::var_os("ENCLAVE_KERNEL").map_or_else(
        || last_line("../../enclave-image/kernel/build.sh", &[]),
        PathBuf::from,
    );
    let mut ramdisk = Ramdisk::default();
    ramdisk.file("init", true, fs::read(init).unwrap()).unwrap();
    let image = Image {
        kernel: &fs::read(kernel).unwrap(),
        cmdline: CMDLINE,
        ramdisks: &[ramdisk.pack().unwrap()],
        metadata: "{}",
    };
    let path = folder.join("boot.eif");
    eif::write(&image, None, fs::File::create(&path).unwrap()).unwrap();
    path
}

/// Everything that one connection brings.
async fn receive(listener: &UnixListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn echo(listener: &UnixListener) {
    let (stream, _) = listener.accept().await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    assert_eq!(
        tokio::io::copy(&mut reader, &mut writer).await.unwrap(),
        BYTES as u64
    );
}

/// Sends 4 MiB to the enclave while they come back.
async fn exchange(sockets: &Sockets) -> Duration {
    let sent: Vec<u8> = (0..BYTES)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let begun = Instant::now();
    let stream = sockets.connect(5000).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut came = Vec::new();
    let sending = async {
        writer.write_all(&sent).await.unwrap();
        // The enclave sees the end, and we still get the rest of what it has.
        writer.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(sending, reader.read_to_end(&mut came));
    read.unwrap();
    assert!(came == sent, "{} bytes came back, or others", came.len());
    begun.elapsed()
}

fn judge(document: &[u8], root: &TestRoot) -> Verified {
    let Ok(Response::Attestation { document }) = ciborium::from_reader(document) else {
        panic!("the module answered something else");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let root = Root::from_pem(&root.certificate_pem()).unwrap();
    verify(
        &document,
        &root,
        At::Time(i64::try_from(now.as_millis()).unwrap()),
    )
    .unwrap()
}

struct Boot {
    root: TestRoot,
    launch: Launch,
    dir: RunDir,
    _files: tempfile::TempDir,
}

fn prepare() -> Boot {
    let files = tempfile::tempdir().unwrap();
    let root = TestRoot::generate().unwrap();
    let signer = files.path().join("nsm-signer.json");
    fs::write(&signer, &*root.issue_signer().unwrap().to_json()).unwrap();
    let eif = image(files.path());
    let enclave_sim = Path::new(env!("CARGO_BIN_EXE_enclave-sim"));
    Boot {
        root,
        launch: Launch::new(&eif, &last_line("qemu.sh", &[]), enclave_sim, &signer),
        dir: RunDir::new(&std::env::temp_dir()).unwrap(),
        _files: files,
    }
}

/// What comes of `talk`, unless the enclave ends before or takes too long: why is on its console.
async fn during<T>(enclave: &Qemu, talk: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        talked = talk => talked,
        _ = tokio::time::timeout(LIMIT, enclave.wait()) => {
            panic!("{}\n{}", enclave.console(), enclave.device_log());
        }
    }
}

#[tokio::test]
#[ignore = "needs QEMU 11 and a kernel, which are fetched and built the first time"]
async fn an_image_boots_attests_and_talks_both_ways() {
    let boot = prepare();
    let ports = [7000, 7001, 7002].map(|port| boot.dir.sockets().listen(port).unwrap());
    let enclave = Qemu::start(&boot.launch, boot.dir).await.unwrap();
    let begun = Instant::now();
    let talk = async {
        let document = judge(&receive(&ports[0]).await, &boot.root);
        let attested = begun.elapsed();
        echo(&ports[1]).await;
        let report = String::from_utf8(receive(&ports[2]).await).unwrap();
        enclave.console_says("init: listening").await.unwrap();
        let exchanged = exchange(&enclave.sockets()).await;
        (document, attested, report, exchanged)
    };
    let (document, attested, report, exchanged) = during(&enclave, talk).await;
    enclave.wait().await.unwrap();
    let report: HashMap<&str, u64> = report
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect();
    eprintln!(
        "document at the host after {attested:?}; host to enclave and back: {exchanged:?}; {report:?}"
    );
    for (index, pcr) in enclave.registers() {
        assert_eq!(document.pcrs[index], *pcr, "register {index}");
    }
    assert!(!document.debug());
    // SHA-384 of 48 zeros and "abc", computed with sha384sum.
    let extended = "b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62d3afd9ecf98e0f413a84314acce78317fb69fd895155343e09";
    assert_eq!(document.pcrs[&16], Pcr::parse(extended).unwrap());
    assert_eq!(document.user_data.as_deref(), Some(&b"boot"[..]));
    assert_eq!(
        (report["echo_bytes"], report["echo_wrong"]),
        (BYTES as u64, 0)
    );
    assert_eq!(report["refused_errno"], 104, "ECONNRESET");
    assert!(report["refused_us"] < 1_000_000);
    assert_eq!(enclave.device_log(), "ready\n");
}

#[tokio::test]
#[ignore = "needs QEMU 11 and a kernel, which are fetched and built the first time"]
async fn a_small_enclave_in_debug_mode_leaves_nothing_but_zeros_and_ends_when_dropped() {
    let mut boot = prepare();
    boot.launch.debug = true;
    boot.launch.memory_mib = 64;
    boot.launch.cpus = 2;
    boot.launch.memory_file = true;
    boot.launch.module_id = Some("i-00000000000000001-enc1".into());
    boot.launch.registers = Pcrs::from([(4, Pcr::from_bytes([4; 48]))]);
    let port = boot.dir.sockets().listen(7000).unwrap();
    let enclave = Qemu::start(&boot.launch, boot.dir).await.unwrap();
    let talk = async { judge(&receive(&port).await, &boot.root) };
    let document = during(&enclave, talk).await;
    assert!(document.debug());
    assert_eq!(document.module_id, "i-00000000000000001-enc1");
    let zero = document.pcrs.iter().filter(|(_, pcr)| pcr.is_zero());
    assert_eq!(zero.count(), 15, "all but 4 and 16");
    let memory = fs::read(enclave.memory().unwrap()).unwrap();
    assert_eq!(memory.len(), 64 << 20);
    assert!(
        memory
            .windows(CMDLINE.len())
            .any(|part| part == CMDLINE.as_bytes())
    );
    let dir = enclave.dir().to_owned();
    assert!(!processes_of(&dir).is_empty());
    drop(enclave);
    assert_eq!(processes_of(&dir), Vec::<String>::new());
    assert!(!dir.exists());
}

/// Command lines that name a folder.
fn processes_of(dir: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines
        .filter(|line| line.contains(dir.to_str().unwrap()))
        .collect()
}
