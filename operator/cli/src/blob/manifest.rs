//! `blob manifest`.

use super::backup::Backup;
use crate::arguments::CopiedManifest;
use crate::manifest::fragment;
use crate::output::{Answer, Exit, Failure};

/// Prints the cluster manifest of a copy with its signatures, as it stands in a ChamberCluster's spec.
pub fn run(asked: &CopiedManifest) -> Result<Answer, Failure> {
    let name = &asked.file;
    let backup = Backup::read(name, asked.measurement.as_deref())?;
    let signed = backup.manifest.ok_or_else(|| {
        Failure::Refused(format!(
            "{name}: there is no cluster manifest beside the blob: it was sealed by an image that measures no authority, or the copy is of the sealed Secret alone"
        ))
    })?;
    Ok(Answer {
        text: fragment(&signed)?,
        exit: Exit::Clean,
    })
}
