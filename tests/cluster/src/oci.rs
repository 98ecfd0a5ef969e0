//! OCI images without Docker: one layer of files, in a tar that containerd imports. Equal content gives equal bytes.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// What an image is made of.
pub(crate) struct Image {
    /// Name with tag.
    pub name: String,
    /// Program and its first arguments.
    pub entrypoint: &'static [&'static str],
    /// In any order; parent folders need no entry.
    pub files: Vec<ImageFile>,
}

/// A file of an image.
pub(crate) struct ImageFile {
    /// Absolute, in the image.
    pub path: String,
    /// What it holds.
    pub content: Vec<u8>,
    /// Permissions.
    pub mode: u32,
}

/// Numeric user and group of every image: nobody in particular.
pub(crate) const USER: &str = "65532:65532";

impl Image {
    /// Writes the image as a tar of an OCI layout and gives the digest of its manifest.
    pub fn write(&self, file: &Path) -> Result<String> {
        let layer = self.layer()?;
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Entrypoint": self.entrypoint, "User": USER},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}
        })
        .to_string();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)]
        })
        .to_string();
        let mut entry = descriptor(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.as_bytes(),
        );
        entry["annotations"] = json!({
            "io.containerd.image.name": self.name,
            "org.opencontainers.image.ref.name": self.name.rsplit(':').next()
        });
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();

        // Whole or not at all: another run may be loading it.
        let part = file.with_extension(format!("part-{}", std::process::id()));
        let mut tar = Builder::new(File::create(&part)?);
        append(
            &mut tar,
            "oci-layout",
            br#"{"imageLayoutVersion":"1.0.0"}"#,
            0o644,
        )?;
        append(&mut tar, "index.json", index.as_bytes(), 0o644)?;
        for blob in [&layer[..], config.as_bytes(), manifest.as_bytes()] {
            append(
                &mut tar,
                &format!("blobs/sha256/{}", hash(blob)),
                blob,
                0o644,
            )?;
        }
        tar.into_inner()?;
        std::fs::rename(part, file)?;
        Ok(digest(manifest.as_bytes()))
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for file in &self.files {
            let path = file.path.trim_start_matches('/');
            append(&mut tar, path, &file.content, file.mode)?;
        }
        Ok(tar.into_inner()?)
    }
}

fn append(
    tar: &mut Builder<impl std::io::Write>,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    tar.append_data(&mut header, path, content)?;
    Ok(())
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hash(content))
}

fn hash(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn image(content: &[u8]) -> Image {
        Image {
            name: "test.local/a:1".into(),
            entrypoint: &["/a", "run"],
            files: vec![ImageFile {
                path: "/bin/a".into(),
                content: content.to_vec(),
                mode: 0o755,
            }],
        }
    }

    /// Path and content of every entry, and that none tells when it was made.
    fn entries(tar: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(tar);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 0);
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    #[test]
    fn equal_content_gives_equal_bytes() {
        let dir = std::env::temp_dir().join(format!("cluster-oci-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let written = |name: &str, content: &[u8]| {
            let file = dir.join(name);
            let digest = image(content).write(&file).unwrap();
            (digest, std::fs::read(file).unwrap())
        };
        let (one, two, other) = (written("1", b"x"), written("2", b"x"), written("3", b"y"));
        let files = std::fs::read_dir(&dir).unwrap().count();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(one, two);
        assert_ne!(one.0, other.0);
        assert_eq!(files, 3, "a partial file was left");
    }

    #[test]
    fn the_layout_leads_from_the_index_to_the_file() {
        let file = std::env::temp_dir().join(format!("cluster-layout-{}.tar", std::process::id()));
        let digest = image(b"program").write(&file).unwrap();
        let layout = entries(&std::fs::read(&file).unwrap());
        std::fs::remove_file(&file).unwrap();
        let blob = |descriptor: &Value| {
            let name = descriptor["digest"].as_str().unwrap();
            let content = &layout[&format!("blobs/{}", name.replace(':', "/"))];
            assert_eq!(descriptor["size"], content.len());
            assert_eq!(name, super::digest(content));
            content
        };
        let index: Value = serde_json::from_slice(&layout["index.json"]).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["digest"], digest);
        assert_eq!(
            entry["annotations"]["io.containerd.image.name"],
            "test.local/a:1"
        );
        let manifest: Value = serde_json::from_slice(blob(entry)).unwrap();
        let config: Value = serde_json::from_slice(blob(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["User"], USER);
        assert_eq!(config["config"]["Entrypoint"], json!(["/a", "run"]));
        let layer = &manifest["layers"][0];
        assert_eq!(config["rootfs"]["diff_ids"][0], layer["digest"]);
        assert_eq!(entries(blob(layer))["bin/a"], b"program");
    }
}
