//! A folder with a kernel and an agent, and the program that builds an image of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

pub const CMDLINE: &str = "console=ttyS0 quiet panic=-1 reboot=k random.trust_bootloader=off page_alloc.shuffle=1 sysctl.kernel.yama.ptrace_scope=3 sysctl.kernel.kptr_restrict=2";
pub const AUTHORITY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

/// What was built, and what was said.
pub struct Built {
    pub eif: Vec<u8>,
    pub json: Value,
    pub out: String,
    pub err: String,
}

pub struct World(tempfile::TempDir);

/// The header of a bzImage, as far as it is read, and a text in place of the kernel.
pub fn kernel(version: &str) -> Vec<u8> {
    let mut image = vec![0; 0x300];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    image.extend(format!("{version} (chamber@enclave) #1\0a kernel").bytes());
    image
}

impl World {
    pub fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.write("kernel", kernel("6.12.117"));
        world.write("agent", "the agent");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program's command line; `arguments` replace those that it has anyway.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eif-build"));
        for (option, file) in [
            ("--kernel", "kernel"),
            ("--init", "agent"),
            ("--out", "out/chamber.eif"),
            ("--measurements", "out/measurements.json"),
        ] {
            if !arguments.contains(&option) {
                command.arg(option).arg(self.path(file));
            }
        }
        command.args(arguments);
        command
    }

    pub fn build(&self, arguments: &[&str]) -> Built {
        let output = self.command(arguments).output().unwrap();
        self.built(&output)
    }

    /// What a run that succeeded left.
    pub fn built(&self, output: &Output) -> Built {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{err}");
        let json = fs::read(self.path("out/measurements.json")).unwrap();
        Built {
            eif: fs::read(self.path("out/chamber.eif")).unwrap(),
            json: serde_json::from_slice(&json).unwrap(),
            out,
            err,
        }
    }

    /// What is said where nothing is built.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(!self.path("out").exists(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}
