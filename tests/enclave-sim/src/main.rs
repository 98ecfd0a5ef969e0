//! `enclave-sim`: the devices of one emulated enclave.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::{Context, Result};
use clap::Parser;
use enclave_sim::nsm::NsmDevice;
use enclave_sim::vsock::{SOCKETS, Switch, VsockDevice};
use enclave_sim::{Daemon, pcrs};
use nsm_emulator::{NsmEmulator, Signer};
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

/// The devices of one emulated enclave, for one QEMU. The first line of the output is "ready".
#[derive(Parser)]
struct Options {
    /// The enclave's context identifier, 4 or above.
    #[arg(long)]
    guest_cid: u32,
    /// Folder of all sockets.
    #[arg(long)]
    dir: PathBuf,
    /// The security module's key and certificates, as nsm-test-root writes them.
    #[arg(long)]
    nsm_signer: PathBuf,
    /// Registers: 0=HEX,1=HEX or a file as nitro-cli describes images with.
    #[arg(long)]
    pcrs: Option<String>,
    /// The module's id, such as i-0123456789abcdef0-enc0123456789abcdef.
    #[arg(long)]
    module_id: Option<String>,
    /// As an enclave in debug mode: the image's registers are zeros.
    #[arg(long)]
    debug: bool,
    /// Ends when the thread that started it does.
    #[arg(long)]
    exit_with_parent: bool,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("enclave-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.exit_with_parent {
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    let module = module(options)?;
    let nsm = Daemon::listen(
        "security module",
        &options.dir.join("device-nsm"),
        |memory| NsmDevice::new(module, memory),
    )?;
    let vsock = vsock(options)?;
    println!("ready");
    // The first that ends is the end of both: QEMU has gone, or cannot go on.
    let (ended, end) = mpsc::channel();
    let other = ended.clone();
    std::thread::spawn(move || other.send(vsock.serve()));
    std::thread::spawn(move || ended.send(nsm.serve()));
    end.recv()?
}

fn vsock(options: &Options) -> Result<Daemon<VsockDevice>> {
    let (cid, dir) = (options.guest_cid, &options.dir);
    let switch = Switch::new(cid, dir)
        .with_context(|| format!("vsock: cannot listen at {}", dir.join("vsock").display()))?;
    let events = switch.events().as_raw_fd();
    let daemon = Daemon::listen("vsock", &dir.join("device-vsock"), |memory| {
        VsockDevice::new(switch, cid, memory)
    })?;
    daemon.watch(&events, SOCKETS)?;
    Ok(daemon)
}

fn module(options: &Options) -> Result<NsmEmulator> {
    let path = &options.nsm_signer;
    let json = Zeroizing::new(
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?,
    );
    let signer = Signer::from_json(&json).with_context(|| path.display().to_string())?;
    let mut pcrs = options
        .pcrs
        .as_deref()
        .map_or(Ok(BTreeMap::new()), pcrs::parse)?;
    if options.debug {
        pcrs = pcrs::in_debug_mode(pcrs);
    }
    let registers = pcrs.iter().map(|(index, pcr)| (*index, *pcr.as_bytes()));
    let module = NsmEmulator::new(signer, registers.collect());
    Ok(match &options.module_id {
        Some(id) => module.with_module_id(id.clone()),
        None => module,
    })
}
