//! The command line of `attestation`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Connection, Output};

/// The greatest length of a document's nonce in bytes.
const MAX_NONCE: usize = 512;

/// What to do with an attestation document.
#[derive(Subcommand)]
pub enum AttestationVerb {
    /// Checks a document: its signature, its certificates up to AWS's root, and what is asked of it.
    #[command(
        after_help = "Exit status: 0 verified, 1 not verified, and the reason is said, 2 no attestation document at all, unreadable or used wrongly.\n\nCertificates live about three hours: of an older document say with --at when it was received. With --at nothing is proved about when it was signed. Verified says that an enclave of AWS's made the document, and not which one: compare the registers. A document of debug mode is verified, too, and proves no image: see --require-production.\n\nExamples:\n  kubectl chamber attestation verify document.cbor --require-production --nonce $NONCE\n  kubectl chamber attestation verify document.cbor --at 2024-04-03T13:10:00Z -o json | jq -r .registers.PCR0\n  pbpaste | kubectl chamber attestation verify -"
    )]
    Verify {
        /// The document, as raw CBOR or as base64; - for standard input.
        file: String,
        /// What is asked of it.
        #[command(flatten)]
        asked: Asked,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Asks a running chamber for a document with a fresh nonce, and checks it.
    #[command(
        after_help = "Exit status: 0 verified, 1 not verified, and the reason is said, 2 no document: the pod, its host or the cluster does not give one.\n\nThe question goes through the API server: it needs the rights to get the pod and to create pods/proxy. What it proves is in the claims: cluster, sealed blob, commitment, manifest, unsealed or not, and the shares that were opened. Compare the registers with the release's.\n\nExamples:\n  kubectl chamber attestation get signer-0a1b2c3d4e-x7x7x -n chambers\n  kubectl chamber attestation get signer-0a1b2c3d4e-x7x7x -o json | jq .claims\n  kubectl chamber attestation get signer-0a1b2c3d4e-x7x7x --save document.cbor"
    )]
    Get {
        /// Name of the chamber's pod.
        pod: String,
        /// A file with the root's certificate in PEM; without it AWS Nitro Enclaves Root G1, which is built in.
        #[arg(long, value_name = "PEM")]
        root: Option<String>,
        /// A document of debug mode is not verified.
        #[arg(long)]
        require_production: bool,
        /// Also writes the document, as CBOR, into this file.
        #[arg(long, value_name = "FILE")]
        save: Option<std::path::PathBuf>,
        /// The cluster.
        #[command(flatten)]
        connection: Connection,
        /// Form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
}

/// What a document is judged by.
#[derive(Args)]
pub struct Asked {
    /// When its certificates have to be valid, as in 2026-11-26T09:00:00Z; without it now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Timestamp>,
    /// A file with the root's certificate in PEM; without it AWS Nitro Enclaves Root G1, which is built in.
    #[arg(long, value_name = "PEM")]
    pub root: Option<String>,
    /// The nonce that was given to the enclave, in hex: another one, or none, is not verified.
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    pub nonce: Option<Nonce>,
    /// A document of debug mode is not verified.
    #[arg(long)]
    pub require_production: bool,
}

/// Bytes of a nonce.
#[derive(Clone)]
pub struct Nonce(pub Vec<u8>);

fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = |why| format!("{why}; give a time as in 2026-11-26T09:00:00Z");
    text.parse().map_err(|why: jiff::Error| wrong(why))
}

fn nonce(text: &str) -> Result<Nonce, String> {
    let bytes = hex::decode(text).map_err(|why| format!("not hex: {why}"))?;
    match bytes.len() {
        1..=MAX_NONCE => Ok(Nonce(bytes)),
        other => Err(format!(
            "has {other} bytes, a document's nonce has 1 to {MAX_NONCE}"
        )),
    }
}
