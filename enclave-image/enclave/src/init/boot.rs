//! What the system is before any secret is in it: mounts, limits, switches of the kernel.

use std::ffi::CStr;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_remount};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;

use super::{devices, lo};
use crate::error::Fatal;

struct Mount {
    on: &'static str,
    kind: &'static str,
    flags: MountFlags,
    data: Option<&'static CStr>,
}

const SAFE: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

const MOUNTS: [Mount; 4] = [
    Mount {
        on: "/proc",
        kind: "proc",
        flags: SAFE,
        // Nobody sees other users' processes.
        data: Some(c"hidepid=2"),
    },
    Mount {
        on: "/sys",
        kind: "sysfs",
        flags: SAFE.union(MountFlags::RDONLY),
        data: None,
    },
    Mount {
        on: "/dev",
        kind: "devtmpfs",
        flags: MountFlags::NOSUID.union(MountFlags::NOEXEC),
        data: None,
    },
    Mount {
        on: "/tmp",
        kind: "tmpfs",
        flags: SAFE,
        data: Some(c"mode=1777,size=25%"),
    },
];

/// Switches below /proc/sys: path, value, why. Kernels without one of them have not got what it switches off.
const SWITCHES: [(&str, &str); 10] = [
    // Nobody traces anybody, and it stays so.
    ("kernel/yama/ptrace_scope", "3"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/perf_event_paranoid", "3"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/io_uring_disabled", "2"),
    ("kernel/kexec_load_disabled", "1"),
    // A kernel that is damaged ends, and with it the enclave.
    ("kernel/panic_on_oops", "1"),
    ("user/max_user_namespaces", "0"),
    // Only lo is there, and only the workload listens on it: it may have any port.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
];

/// Limits, mounts, device files, switches, the loopback interface; then the image is read-only.
pub fn prepare() -> Result<(), Fatal> {
    limits()?;
    for wanted in &MOUNTS {
        fs::create_dir_all(wanted.on).map_err(Fatal::system(wanted.on))?;
        match mount(
            wanted.kind,
            wanted.on,
            wanted.kind,
            wanted.flags,
            wanted.data,
        ) {
            // The kernel may have mounted it by itself.
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => return Err(Fatal::system(format!("mounting {}", wanted.on))(error)),
        }
    }
    // Without memory the workload ends and not the agent; it gets its own mark when it is started.
    let spared = fs::write("/proc/self/oom_score_adj", "-1000");
    spared.map_err(Fatal::system("/proc/self/oom_score_adj"))?;
    devices::close(Path::new("/dev")).map_err(Fatal::system("device files below /dev"))?;
    for (switch, value) in SWITCHES {
        set(Path::new("/proc/sys"), switch, value)?;
    }
    lo::up().map_err(Fatal::system("switching lo on"))?;
    // Nobody changes the image in memory: the kernel's own root folder may be open to all.
    let image = MountFlags::RDONLY
        .union(MountFlags::NOSUID)
        .union(MountFlags::NODEV);
    mount_remount("/", image, c"").map_err(Fatal::system("making / read-only"))
}

/// For this process and all that it starts: no core dumps, and no more rights than they have.
fn limits() -> Result<(), Fatal> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(Fatal::system("RLIMIT_CORE 0"))?;
    set_no_new_privs(true).map_err(Fatal::system("no_new_privs"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Fatal::system("PR_SET_DUMPABLE 0"))
}

fn set(below: &Path, switch: &str, value: &str) -> Result<(), Fatal> {
    // Not created where it is missing: a kernel's folder would refuse that.
    let file = fs::OpenOptions::new().write(true).open(below.join(switch));
    match file.and_then(|mut file| file.write_all(value.as_bytes())) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Fatal::system(format!("sysctl {switch} = {value}"))(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_is_missing_is_no_fault_and_one_that_refuses_is() {
        let folder = std::env::temp_dir().join(format!("chamber-switch-{}", std::process::id()));
        fs::create_dir_all(folder.join("refuses")).unwrap();
        fs::write(folder.join("there"), "0").unwrap();
        set(&folder, "there", "3").unwrap();
        assert_eq!(fs::read_to_string(folder.join("there")).unwrap(), "3");
        let refused = set(&folder, "refuses", "1").unwrap_err().to_string();
        assert!(refused.starts_with("sysctl refuses = 1: "), "{refused}");
        fs::remove_dir_all(&folder).unwrap();
        set(Path::new("/proc/sys"), "kernel/no_such_switch/here", "1").unwrap();
    }
}
