//! QEMU's command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Launch;

/// The file with the enclave's memory.
pub fn memory_file(dir: &Path) -> PathBuf {
    dir.join("memory")
}

/// QEMU for the files and sockets in `dir`. Everything that the enclave has is named here; nothing comes by default.
pub fn command(launch: &Launch, dir: &Path, cmdline: &str) -> Result<Command> {
    let folder = &launch.qemu;
    let mut command = Command::new(folder.join("lib/ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(folder.join("lib"));
    command.arg(folder.join("qemu-system-x86_64"));
    command.arg("-L").arg(folder.join("firmware"));
    command.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-monitor",
        "none",
    ]);
    command.args([
        "-M",
        "microvm,acpi=off,pcie=off,memory-backend=memory",
        "-accel",
        "tcg",
    ]);
    let size = format!("{}M", launch.memory_mib);
    command.args(["-m", &size, "-smp", &launch.cpus.to_string()]);
    // Shared, because the devices are other processes.
    let memory = if launch.memory_file {
        let path = option(&memory_file(dir))?;
        format!("memory-backend-file,id=memory,share=on,size={size},mem-path={path}")
    } else {
        format!("memory-backend-memfd,id=memory,share=on,size={size}")
    };
    command.args(["-object", &memory]);
    command.arg("-kernel").arg(dir.join("kernel"));
    command.arg("-initrd").arg(dir.join("ramdisks"));
    command.args(["-append", cmdline]);
    command.args([
        "-chardev",
        "stdio,id=console,signal=off",
        "-serial",
        "chardev:console",
    ]);
    for (name, device) in [
        ("vsock", "vhost-user-vsock-device"),
        ("nsm", "vhost-user-test-device,virtio-id=33,num_vqs=1"),
    ] {
        let path = option(&dir.join(format!("device-{name}")))?;
        command.args(["-chardev", &format!("socket,id={name},path={path}")]);
        command.args(["-device", &format!("{device},chardev={name}")]);
    }
    // A reboot of the enclave is its end. Its kernel restarts by the keyboard controller (`reboot=k`), as on Nitro;
    // without one it jumps into the firmware, and now and then it stays there.
    command.args(["-device", "i8042"]);
    command.args(["-no-reboot", "-run-with", "exit-with-parent=on"]);
    Ok(command)
}

/// A path as the value of an option, where a comma ends the value unless it is doubled.
fn option(path: &Path) -> Result<String> {
    let text = path.to_str();
    let text = text.with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.replace(',', ",,"))
}
