//! QEMU with the devices: one emulated enclave.

mod child;
mod output;
mod program;
mod run_dir;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use measurement::eif;

use self::child::Child;
pub use self::run_dir::RunDir;
use crate::Sockets;
use crate::pcrs::{self, Pcrs};

/// How long the devices may take to listen.
const READY: Duration = Duration::from_secs(30);
/// How long QEMU may take to see that its devices have gone, or the other way round.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What to boot, and on what.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The image.
    pub eif: PathBuf,
    /// The folder that `qemu.sh` prints.
    pub qemu: PathBuf,
    /// The program of this crate.
    pub enclave_sim: PathBuf,
    /// The security module's key and certificates: what `nsm-test-root` writes as `nsm-signer.json`.
    pub nsm_signer: PathBuf,
    /// The module's id, where the one that the certificate gives will not do.
    pub module_id: Option<String>,
    /// Registers that are not the image's, such as 3 and 4.
    pub registers: Pcrs,
    /// The enclave's context identifier, 4 or above.
    pub guest_cid: u32,
    /// The enclave's memory in MiB.
    pub memory_mib: u32,
    /// The enclave's CPUs.
    pub cpus: u32,
    /// As in debug mode: the image's registers are zeros.
    pub debug: bool,
    /// Keeps the enclave's memory in a file, for whoever wants to search it.
    pub memory_file: bool,
}

impl Launch {
    /// An image under a signer, with 256 MiB, one CPU and CID 16.
    pub fn new(eif: &Path, qemu: &Path, enclave_sim: &Path, nsm_signer: &Path) -> Self {
        Self {
            eif: eif.to_owned(),
            qemu: qemu.to_owned(),
            enclave_sim: enclave_sim.to_owned(),
            nsm_signer: nsm_signer.to_owned(),
            module_id: None,
            registers: Pcrs::new(),
            guest_cid: 16,
            memory_mib: 256,
            cpus: 1,
            debug: false,
            memory_file: false,
        }
    }

    fn devices(&self, dir: &Path, image: &Pcrs) -> Command {
        let mut registers = self.registers.clone();
        registers.extend(image.iter().map(|(index, pcr)| (*index, *pcr)));
        let mut command = Command::new(&self.enclave_sim);
        command.arg("--exit-with-parent");
        command.args(["--guest-cid", &self.guest_cid.to_string()]);
        command.arg("--dir").arg(dir);
        command.arg("--nsm-signer").arg(&self.nsm_signer);
        command.args(["--pcrs", &pcrs::to_text(&registers)]);
        if let Some(id) = &self.module_id {
            command.args(["--module-id", id]);
        }
        if self.debug {
            command.arg("--debug");
        }
        command
    }
}

/// A running enclave. Dropping it kills QEMU and the devices, and removes the folder.
pub struct Qemu {
    // Dropped in this order: the folder last.
    program: Child,
    devices: Child,
    dir: RunDir,
    registers: Pcrs,
}

impl Qemu {
    /// Takes the image apart and boots it. Whatever the enclave connects to should listen in the folder by now.
    pub async fn start(launch: &Launch, dir: RunDir) -> Result<Self> {
        let image = launch.eif.display();
        let file = std::fs::File::open(&launch.eif).with_context(|| format!("{image}"))?;
        let (description, parts) = eif::take_apart(file).with_context(|| format!("{image}"))?;
        ensure!(
            description.crc_matches,
            "{image}: its checksum is wrong: build it anew"
        );
        let mut registers = Pcrs::from([
            (0, description.pcr0),
            (1, description.pcr1),
            (2, description.pcr2),
        ]);
        registers.extend(description.pcr8.map(|pcr| (8, pcr)));
        let cmdline = String::from_utf8(parts.cmdline)
            .with_context(|| format!("{image}: its command line is not UTF-8"))?;
        dir.write("kernel", &parts.kernel)?;
        dir.write("ramdisks", &parts.ramdisks.concat())?;
        let devices = Child::start(launch.devices(dir.path(), &registers))?;
        ready(&devices).await?;
        let program = Child::start(program::command(launch, dir.path(), &cmdline)?)?;
        Ok(Self {
            program,
            devices,
            dir,
            registers,
        })
    }

    /// The folder of this run.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The enclave's ports.
    pub fn sockets(&self) -> Sockets {
        self.dir.sockets()
    }

    /// The image's registers: what an enclave that is not in debug mode attests.
    pub const fn registers(&self) -> &Pcrs {
        &self.registers
    }

    /// What the enclave wrote to its console, with QEMU's own messages: the last 256 KiB.
    pub fn console(&self) -> String {
        self.program.output().text()
    }

    /// Waits until the console has this text, or the enclave has ended without.
    pub async fn console_says(&self, text: &str) -> Result<()> {
        if self.program.output().says(text).await {
            return Ok(());
        }
        bail!(
            "the enclave ended, and its console never said {text:?}: {}",
            self.console()
        )
    }

    /// What the devices had to complain of.
    pub fn device_log(&self) -> String {
        self.devices.output().text()
    }

    /// The file with the enclave's memory, where [`Launch::memory_file`] asked for one.
    pub fn memory(&self) -> Option<PathBuf> {
        Some(program::memory_file(self.dir())).filter(|path| path.exists())
    }

    /// Waits for the enclave's end. QEMU says 0 of an orderly reboot and of a kernel's panic alike.
    pub async fn wait(&self) -> Result<ExitStatus> {
        tokio::select! {
            biased;
            status = self.program.ended() => return Ok(status),
            _ = self.devices.ended() => {}
        }
        // The devices end with QEMU, too, and may be seen to end first.
        match tokio::time::timeout(LAST_WORDS, self.program.ended()).await {
            Ok(status) => Ok(status),
            Err(_) => bail!("the devices have ended under QEMU: {}", self.device_log()),
        }
    }
}

async fn ready(devices: &Child) -> Result<()> {
    let said = tokio::time::timeout(READY, devices.output().says("ready\n")).await;
    match said {
        Ok(true) => Ok(()),
        Ok(false) => bail!("the devices did not start: {}", devices.output().text()),
        Err(_) => bail!("the devices were not ready after {} s", READY.as_secs()),
    }
}
