//! `blob import`.

use chamber_api::{ChamberCluster, ManifestKind};
use kube::ResourceExt;
use sealed_blob::InnerBlob;

use super::backup::Backup;
use crate::arguments::Import;
use crate::cluster;
use crate::manifest::master_key;
use crate::output::{Answer, Exit, Failure};
use crate::sealed;

/// Puts the copy back for the release of the spec.
pub fn run(asked: &Import) -> Result<Answer, Failure> {
    let (name, file) = (&asked.name, &asked.file);
    let backup = Backup::read(file, asked.measurement.as_deref())?;
    let cluster = cluster::named(&asked.connection, name)?;
    master_key::of_cluster(file, &backup.inner, &cluster)?;
    same_master_key(file, &backup.inner, &cluster, asked.commitment.as_ref())?;
    let (generation, named) = (backup.inner.generation, cluster::generation(&cluster)?);
    if generation != named {
        return Err(Failure::Refused(format!(
            "{file}: its generation is {generation}, and spec.manifest's {named} (1 without one): the release would not look for it. Take the copy of generation {named}, or put spec.manifest back to generation {generation}. Nothing was changed"
        )));
    }
    let bound_to = cluster::of_spec(&cluster)?;
    let backup = Backup { bound_to, ..backup };
    let secret = backup.secret(name)?;
    let named = secret.name_any();
    let told = match cluster::create_secret(&asked.connection, &secret)? {
        None => "is there now",
        Some(there) => {
            let measurement = std::slice::from_ref(&backup.bound_to);
            let found = sealed::inner(&format!("Secret {named}"), &there, measurement);
            if found.ok().as_ref() != Some(&backup.inner) {
                return Err(Failure::Refused(format!(
                    "Secret {named} is there and holds another blob than {file}: nothing was changed. Find out who made it; a sealed Secret is never overwritten"
                )));
            }
            "was there already, with the same blob"
        }
    };
    Ok(Answer {
        text: format!("Secret {named} {told}\n"),
        exit: Exit::Clean,
    })
}

/// Somebody else's blob of the same keys would have chambers serve a master key of theirs.
fn same_master_key(
    file: &str,
    inner: &InnerBlob,
    cluster: &ChamberCluster,
    compared: Option<&[u8; 32]>,
) -> Result<(), Failure> {
    let what = format!("{file}: its commitment");
    master_key::recorded(&what, &inner.commitment, cluster)?;
    let found = hex::encode(inner.commitment);
    let status = cluster.status.as_ref();
    let recorded = status.and_then(|status| status.commitment.clone());
    let written = cluster.spec.manifest.as_ref().map(|written| &written.body);
    let run = written.filter(|body| body.kind == ManifestKind::Run);
    let named = run.and_then(|body| body.commitment.clone());
    let given = compared.map(hex::encode);
    let known = [
        ("status.commitment", recorded),
        ("spec.manifest", named),
        ("--commitment", given),
    ];
    let mut known = known
        .into_iter()
        .filter_map(|(source, value)| Some((source, value?)))
        .peekable();
    if known.peek().is_none() {
        return Err(Failure::Usage(format!(
            "--commitment is missing: the ChamberCluster says of no master key that it is its own. The blob says {found} of itself, as anybody's would. Compare that with the tag {} on keys whose holders you trust, and give it",
            rollover::tags::COMMITMENT
        )));
    }
    match known.find(|(_, value)| !value.eq_ignore_ascii_case(&found)) {
        None => Ok(()),
        Some((source, value)) => Err(Failure::Refused(format!(
            "{what} is {found}, {source} says {value}: this is another master key, and somebody else may know it. Nothing was changed"
        ))),
    }
}
