//! A file with one manifest in it: what `render` prints, or YAML with a `ChamberCluster`.

use chamber_api::{ChamberCluster, ManifestSpec};
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::splice;
use crate::input;
use crate::output::Failure;

/// Members of the objects that a manifest is made of; another one would be lost without a word.
const MANIFEST: &[&str] = &["body", "signatures"];
const BODY: &[&str] = &[
    "kind",
    "clusterId",
    "generation",
    "threshold",
    "keys",
    "signers",
    "sealingImages",
    "previous",
    "commitment",
];
const SIGNATURE: &[&str] = &["authority", "signature"];

/// A file with one manifest.
pub struct ManifestFile {
    name: String,
    text: String,
    documents: Vec<Value>,
    /// Which document, and the members that lead to the manifest in it.
    place: (usize, &'static [&'static str]),
    /// The manifest.
    pub manifest: ManifestSpec,
    /// The resource that it is in, where it is.
    pub cluster: Option<ChamberCluster>,
}

impl ManifestFile {
    /// Reads a file that has exactly one.
    pub fn read(name: &str) -> Result<Self, Failure> {
        let text = input::text(name, input::MANIFEST)?;
        let documents = documents(&text).map_err(|why| Failure::read(name, &why))?;
        let found = documents.iter().enumerate();
        let found: Vec<_> = found
            .filter_map(|(at, document)| Some((at, place(document)?)))
            .collect();
        let [place] = found[..] else {
            let why = format!(
                "has {} manifests, expected one: what `kubectl chamber manifest render` prints, or a ChamberCluster with spec.manifest",
                found.len()
            );
            return Err(Failure::read(name, &why));
        };
        let document = &documents[place.0];
        let written = place
            .1
            .iter()
            .fold(document, |value, member| &value[member]);
        known(written).map_err(|why| Failure::read(name, &why))?;
        let manifest = serde_yaml_ng::from_value(written.clone());
        let cluster = (document["kind"] == "ChamberCluster").then(|| of_document(name, document));
        Ok(Self {
            manifest: manifest.map_err(|why| Failure::read(name, &format!("manifest: {why}")))?,
            cluster: cluster.transpose()?,
            name: name.to_owned(),
            text,
            documents,
            place,
        })
    }

    /// The file's text with this manifest in place of its own; as it was written, where that can be kept.
    pub fn with(mut self, manifest: &ManifestSpec) -> Result<String, Failure> {
        let unwritten = |why: &dyn std::fmt::Display| Failure::Write(why.to_string());
        let new = serde_yaml_ng::to_value(manifest).map_err(|why| unwritten(&why))?;
        let document = &mut self.documents[self.place.0];
        let target = self
            .place
            .1
            .iter()
            .fold(document, |value, member| &mut value[member]);
        // Only the signatures: a body stays as somebody wrote it.
        target["signatures"] = new["signatures"].clone();
        if self.text.trim_start().starts_with('{') {
            return serde_json::to_string_pretty(&self.documents[0]).map_err(|why| unwritten(&why));
        }
        let spliced = splice::spliced(&self.text, manifest);
        let same = |text: &String| documents(text).is_ok_and(|read| read == self.documents);
        if let Some(text) = spliced.filter(same) {
            return Ok(text);
        }
        eprintln!(
            "kubectl-chamber: {}: written anew, comments are lost",
            self.name
        );
        let each = self.documents.iter().map(serde_yaml_ng::to_string);
        let each = each.collect::<Result<Vec<_>, _>>();
        each.map(|texts| texts.join("---\n"))
            .map_err(|why| unwritten(&why))
    }
}

/// The `ChamberCluster` of a file that has exactly one.
pub fn cluster(name: &str) -> Result<ChamberCluster, Failure> {
    let documents = documents(&input::text(name, input::MANIFEST)?);
    let documents = documents.map_err(|why| Failure::read(name, &why))?;
    let found: Vec<_> = documents
        .iter()
        .filter(|one| one["kind"] == "ChamberCluster")
        .collect();
    let [one] = found[..] else {
        let why = format!("has {} ChamberClusters, expected one", found.len());
        return Err(Failure::read(name, &why));
    };
    of_document(name, one)
}

fn of_document(name: &str, document: &Value) -> Result<ChamberCluster, Failure> {
    serde_yaml_ng::from_value(document.clone()).map_err(|why| Failure::read(name, &why))
}

fn documents(text: &str) -> Result<Vec<Value>, serde_yaml_ng::Error> {
    let documents = serde_yaml_ng::Deserializer::from_str(text).map(Value::deserialize);
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    Ok(documents.into_iter().filter(|one| !one.is_null()).collect())
}

fn place(document: &Value) -> Option<&'static [&'static str]> {
    let places: [&[&str]; 3] = [&["spec", "manifest"], &["manifest"], &[]];
    let has_body = |place: &&&[&str]| {
        let found = place
            .iter()
            .try_fold(document, |value, member| value.get(member));
        found.is_some_and(|found| found.get("body").is_some())
    };
    places.iter().find(has_body).copied()
}

/// Refuses members that nobody would read.
fn known(manifest: &Value) -> Result<(), String> {
    let signatures = manifest["signatures"].as_sequence();
    let signatures = signatures.into_iter().flatten();
    let objects = [
        ("manifest", MANIFEST, manifest),
        ("manifest.body", BODY, &manifest["body"]),
    ];
    let signatures = signatures.map(|one| ("manifest.signatures", SIGNATURE, one));
    for (path, members, value) in objects.into_iter().chain(signatures) {
        for member in value
            .as_mapping()
            .into_iter()
            .flat_map(|mapping| mapping.keys())
        {
            let member = member.as_str().unwrap_or("a member that is no text");
            if !members.contains(&member) {
                return Err(format!(
                    "{path} has {member}, expected {}",
                    members.join(", ")
                ));
            }
        }
    }
    Ok(())
}
