//! The example manifests in docs/examples, as `kubectl apply -f` would send them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use demo::kubernetes;

use crate::stage::Stage;

/// Every example is accepted by the API server as written.
pub async fn apply_as_written(stage: &Stage) -> Result<()> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples"));
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    let values = |file: &Path| {
        file.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("values-"))
    };
    // Chart values are helm's to read; tests/demo renders the chart with them.
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml") && !values(file));
    files.sort();
    ensure!(!files.is_empty(), "no examples in {}", folder.display());
    // Namespaces first: a dry run of what is in them needs them to be there.
    let mut documents = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        for document in kubernetes::documents(&text).with_context(|| file.display().to_string())? {
            documents.push((file.clone(), document));
        }
    }
    for (_, document) in documents
        .iter()
        .filter(|(_, document)| document["kind"] == "Namespace")
    {
        kubernetes::apply(&stage.environment.client, document).await?;
    }
    for (file, document) in &documents {
        kubernetes::dry_run(&stage.environment.client, document)
            .await
            .with_context(|| {
                format!(
                    "{}: {} {}",
                    file.display(),
                    document["kind"],
                    document["metadata"]["name"]
                )
            })?;
    }
    Ok(())
}
