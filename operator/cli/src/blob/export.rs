//! `blob export`.

use chamber_resource::manifest;

use super::backup::Backup;
use crate::arguments::Export;
use crate::cluster::{self, Stored};
use crate::manifest::master_key;
use crate::output::{Answer, Exit, Failure};
use crate::sealed;

/// Prints the copy. A blob that is not the cluster's is none.
pub fn run(asked: &Export) -> Result<Answer, Failure> {
    let name = &asked.name;
    let Stored { cluster, blob } = cluster::stored(&asked.connection, name)?;
    let Some(blob) = blob else {
        return Err(Failure::Cluster(format!(
            "chambercluster {name}: nothing is sealed yet"
        )));
    };
    let measurements = cluster::measurements(&cluster)?;
    let (inner, bound_to) = sealed::opened(&blob.name, &blob.text, &measurements)?;
    master_key::of_cluster(&blob.name, &inner, &cluster)?;
    let what = format!("{}: its commitment", blob.name);
    master_key::recorded(&what, &inner.commitment, &cluster)?;
    let written = cluster.spec.manifest.as_ref().map(manifest::signed);
    let manifest = written
        .transpose()
        .map_err(|fault| Failure::Cluster(format!("chambercluster {name}: {}", fault.message)))?;
    let backup = Backup {
        inner,
        bound_to,
        manifest,
    };
    let text = serde_yaml_ng::to_string(&backup.secret(name)?);
    Ok(Answer {
        text: text.map_err(|why| Failure::Write(why.to_string()))?,
        exit: Exit::Clean,
    })
}
