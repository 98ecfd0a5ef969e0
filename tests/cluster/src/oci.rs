//! OCI images without Docker: one layer of files, in a tar that containerd imports. Equal content gives equal bytes.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// What an image is made of.
pub struct Image<'a> {
    /// Name with tag.
    pub name: &'a str,
    /// Program and its first arguments.
    pub entrypoint: &'a [&'a str],
    /// Path in the image, content, mode.
    pub files: Vec<(String, Vec<u8>, u32)>,
}

/// Numeric user and group of every image: nobody in particular.
const USER: &str = "65532:65532";

impl Image<'_> {
    /// Writes the image as a tar of an OCI layout.
    pub fn write(&self, file: &Path) -> Result<()> {
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

        let mut tar = Builder::new(File::create(file)?);
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
        Ok(())
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = Builder::new(Vec::new());
        for (path, content, mode) in &self.files {
            append(&mut tar, path.trim_start_matches('/'), content, *mode)?;
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
    use super::*;

    #[test]
    fn equal_content_gives_equal_bytes_and_the_index_names_the_manifest() {
        let dir = std::env::temp_dir().join(format!("cluster-oci-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let image = |content: &[u8]| Image {
            name: "test.local/a:1",
            entrypoint: &["/a"],
            files: vec![("/a".into(), content.to_vec(), 0o755)],
        };
        let (one, two, other) = (dir.join("1"), dir.join("2"), dir.join("3"));
        image(b"x").write(&one).unwrap();
        image(b"x").write(&two).unwrap();
        image(b"y").write(&other).unwrap();
        let read = |path: &Path| std::fs::read(path).unwrap();
        assert_eq!(read(&one), read(&two));
        assert_ne!(read(&one), read(&other));

        let mut archive = tar::Archive::new(File::open(&one).unwrap());
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        let mut archive = tar::Archive::new(File::open(&one).unwrap());
        let index = archive
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .find(|entry| entry.path().unwrap().ends_with("index.json"))
            .unwrap();
        let index: Value = serde_json::from_reader(index).unwrap();
        let manifest = index["manifests"][0]["digest"]
            .as_str()
            .unwrap()
            .replace("sha256:", "blobs/sha256/");
        assert!(names.contains(&manifest), "{names:?}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
