//! Device files: the kernel lets everybody open some that only the agent may.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

/// What the workload may open.
const FOR_ALL: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Takes all other device files (`/dev/nsm` is one of them) from everybody but root.
pub fn close(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        let device = kind.is_char_device() || kind.is_block_device();
        if device && !FOR_ALL.iter().any(|allowed| name == *allowed) {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn the_module_is_for_root_only_and_dev_null_for_all() {
        if !rustix::process::geteuid().is_root() {
            let demanded = std::env::var_os("SKIP_NOTHING").is_some();
            assert!(!demanded, "only root makes device files");
            println!("skipped: only root makes device files");
            return;
        }
        let folder = std::env::temp_dir().join(format!("chamber-devices-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["nsm", "null"] {
            // The device of /dev/null stands for both: only names count.
            let device = rustix::fs::makedev(1, 3);
            let path = folder.join(name);
            mknodat(CWD, &path, FileType::CharacterDevice, Mode::empty(), device).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        }
        fs::write(folder.join("file"), "").unwrap();
        let before = fs::metadata(folder.join("file")).unwrap().permissions();
        close(&folder).unwrap();
        let mode = |name: &str| {
            let metadata = fs::metadata(folder.join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("nsm"), mode("null")), (0o600, 0o666));
        assert_eq!(mode("file"), before.mode() & 0o777);
        fs::remove_dir_all(&folder).unwrap();
    }
}
