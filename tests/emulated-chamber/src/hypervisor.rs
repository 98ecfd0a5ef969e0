//! QEMU in the hypervisor's place.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use chamber_host::{Enclave, Hypervisor};
use enclave_sim::{Launch, Qemu, RunDir};
use measurement::eif::{self, Description};

use crate::vsock::Emulated;

/// Boots one image.
pub struct Emulator {
    launch: Launch,
    run: PathBuf,
    image: Description,
}

impl Emulator {
    /// `run` gets a folder for each enclave.
    pub fn new(launch: Launch, run: PathBuf) -> anyhow::Result<Self> {
        let name = launch.eif.display().to_string();
        let file = File::open(&launch.eif).with_context(|| name.clone())?;
        let image = eif::read(file).with_context(|| name)?;
        Ok(Self { launch, run, image })
    }
}

impl Hypervisor for Emulator {
    type Enclave = Booted;
    type Vsock = Emulated;

    fn image(&self) -> &Description {
        &self.image
    }

    async fn boot(&mut self) -> io::Result<(Booted, Emulated)> {
        let dir = RunDir::new(&self.run).map_err(|error| other(&error))?;
        let vsock = Emulated {
            sockets: dir.sockets(),
            cid: self.launch.guest_cid,
        };
        let qemu = Qemu::start(&self.launch, dir)
            .await
            .map_err(|error| other(&error))?;
        Ok((Booted(Some(qemu)), vsock))
    }
}

/// A booted enclave; `None` after its end was asked for.
pub struct Booted(Option<Qemu>);

impl Enclave for Booted {
    async fn ended(&mut self) -> String {
        let Some(qemu) = &mut self.0 else {
            return "it was ended".to_owned();
        };
        let how = match qemu.wait().await {
            Ok(status) => format!("QEMU ended with {status}"),
            Err(error) => format!("{error:#}"),
        };
        // A real host has no console of an enclave in production; here it says what went wrong.
        format!(
            "{how}; console: {}; devices: {}",
            qemu.console(),
            qemu.device_log()
        )
    }

    async fn kill(&mut self) {
        drop(self.0.take());
    }
}

fn other(error: &anyhow::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}
