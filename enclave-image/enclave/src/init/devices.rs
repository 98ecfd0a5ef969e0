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
