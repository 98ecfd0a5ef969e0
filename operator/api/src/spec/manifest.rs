//! The cluster manifest: what an offline authority signed of this cluster's keys.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an authority says of this cluster's keys, and its signatures. One unit: it is replaced as a whole.
///
/// `kubectl chamber manifest render` writes the body and `kubectl chamber manifest sign` signs it. The signatures are
/// over the bytes that `docs/cluster-manifest.md` makes of the body, so how the YAML is written does not matter.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.signatures.all(a, self.signatures.exists_one(b, a.authority == b.authority))")
    .message("two signatures are of one authority: each authority signs once")
    .reason(Reason::FieldValueInvalid)
    .field_path(".signatures"))]
pub struct ManifestSpec {
    /// What is signed.
    pub body: ManifestBody,
    /// At least one of an authority that the release's image measures.
    #[schemars(length(min = 1, max = 8))]
    pub signatures: Vec<ManifestSignature>,
}

/// What is signed.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.commitment) == (self.kind == 'Run')")
        .message("a Run manifest names the commitment of the sealed blob, and a SealPermit names none: take what `kubectl chamber manifest render` prints")
        .reason(Reason::FieldValueInvalid)
        .field_path(".commitment"),
    validation = Rule::new("has(self.previous) == (self.generation > 1)")
        .message("previous is the digest of the manifest of the generation before: from generation 2 on it is needed, in generation 1 there is none")
        .reason(Reason::FieldValueInvalid)
        .field_path(".previous"),
    validation = Rule::new("(has(self.signers) && self.signers.size() > 0) || (has(self.sealingImages) && self.sealingImages.size() > 0)")
        .message("nobody may seal: name at least one signer (PCR8) or sealing image (PCR0)")
        .reason(Reason::FieldValueInvalid)
        .field_path(".signers"),
    validation = Rule::new("!has(self.signers) || self.signers.all(a, !a.matches('^(0+|f+)$') && self.signers.exists_one(b, a == b))")
        .message("signers has zeros, 96 x f, or a value twice: enclaves in debug mode and unsigned images attest a PCR8 of zeros")
        .reason(Reason::FieldValueInvalid)
        .field_path(".signers"),
    validation = Rule::new("!has(self.sealingImages) || self.sealingImages.all(a, !a.matches('^(0+|f+)$') && self.sealingImages.exists_one(b, a == b))")
        .message("sealingImages has zeros, 96 x f, or a value twice: enclaves in debug mode attest a PCR0 of zeros")
        .reason(Reason::FieldValueInvalid)
        .field_path(".sealingImages")
)]
pub struct ManifestBody {
    /// `SealPermit` before the first seal, `Run` once there is a sealed blob.
    pub kind: ManifestKind,
    /// The same as `spec.clusterId`.
    #[schemars(
        length(min = 1, max = 45),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub cluster_id: String,
    /// Counts the wrappings of one master key, from 1.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub generation: i64,
    /// The same as `spec.keys.threshold`.
    #[schemars(range(min = 1, max = 10))]
    pub threshold: i32,
    /// The ARNs of `spec.keys.shares`, in their order.
    #[schemars(schema_with = "crate::schema::key_arns")]
    pub keys: Vec<String>,
    /// PCR8 of the certificates whose images may seal: 96 lower-case hex characters each, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 96), regex(pattern = r"^[0-9a-f]{96}$"))
    )]
    pub signers: Vec<String>,
    /// PCR0 of the images that may seal, whoever signed them: 96 lower-case hex characters each, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 96), regex(pattern = r"^[0-9a-f]{96}$"))
    )]
    pub sealing_images: Vec<String>,
    /// Digest of the manifest of the generation before, from generation 2 on: 96 lower-case hex characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 96), regex(pattern = r"^[0-9a-f]{96}$"))]
    pub previous: Option<String>,
    /// Commitment of the sealed blob, for `Run` only: 64 lower-case hex characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub commitment: Option<String>,
}

/// What a manifest allows.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// To make a master key and seal it; not to unseal.
    SealPermit,
    /// To unseal the master key with the commitment; not to make another.
    Run,
}

/// One authority's signature over the body's bytes.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ManifestSignature {
    /// SHA-256 of the authority's DER `SubjectPublicKeyInfo`: 64 lower-case hex characters.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub authority: String,
    /// Base64 of 64 bytes (Ed25519) or of 96 (P-384: r, then s).
    #[schemars(
        length(min = 88, max = 200),
        regex(pattern = r"^[A-Za-z0-9+/]+={0,2}$")
    )]
    pub signature: String,
}
