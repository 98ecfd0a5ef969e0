//! One document against what it has to prove.

use std::collections::BTreeSet;

use attestation::{At, Claims, GateClaims, Rejected, Root, Verified, verify};
use cluster_manifest::{Digest, MANIFEST_REGISTER};
use jiff::Timestamp;
use measurement::Measurement;
use rollover::Attestation;

/// Seconds that a document's time may differ from the operator's clock.
const FRESH: u64 = 300;

/// What a chamber of the release has to prove.
pub struct Expected<'a> {
    /// The root that documents lead to.
    pub root: &'a Root,
    /// The release's, with all further registers.
    pub measurement: &'a Measurement,
    /// The cluster's id.
    pub cluster_id: &'a str,
    /// SHA-384 of the sealed blob that is stored for the measurement.
    pub blob: [u8; 48],
    /// Commitment to the master key, hex.
    pub commitment: String,
    /// ARNs of the keys, in the order of the shares.
    pub keys: Vec<String>,
}

/// What a document has proven, but for whose enclave it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    /// The parent instance by the security module's word, `i-...`.
    instance: String,
    opened: BTreeSet<String>,
    manifest: Option<String>,
}

impl Proof {
    /// The answer of a pod whose node is this instance, where that is known.
    pub fn of_pod(self, instance: &Result<String, String>, at: Timestamp) -> Attestation {
        match instance {
            Err(why) => Attestation::Silent(why.clone()),
            Ok(instance) if *instance != self.instance => Attestation::Refused(format!(
                "the enclave that attests is of instance {}, and its node is {instance}",
                self.instance
            )),
            Ok(_) => Attestation::Attested {
                at,
                opened: self.opened,
                manifest: self.manifest,
            },
        }
    }
}

impl Expected<'_> {
    /// What the document proves, or what speaks against it, in a sentence that stays the same.
    pub fn judge(&self, document: &[u8], nonce: &[u8], now: Timestamp) -> Result<Proof, String> {
        let now = now.as_millisecond();
        let verified = verify(document, self.root, At::Time(now)).map_err(said)?;
        verified.check_fresh(now, FRESH).map_err(said)?;
        if verified.nonce.as_deref() != Some(nonce) {
            return Err("its document answers another question: the nonce differs".to_owned());
        }
        self.registers(&verified)?;
        let claims = verified.user_data.as_deref().unwrap_or_default();
        let claims = match Claims::decode(claims) {
            Ok(Claims::Gate(claims)) => claims,
            Ok(Claims::Seal { .. } | Claims::Rewrap { .. } | Claims::Probe { .. }) => {
                return Err("its document was made for another purpose".to_owned());
            }
            Err(why) => return Err(format!("its document does not tell its state: {why}")),
        };
        let instance = verified.instance();
        let instance = instance.ok_or("its document names no parent instance")?;
        Ok(Proof {
            instance: instance.to_owned(),
            opened: self.state(&claims)?,
            manifest: claims.manifest.map(hex::encode),
        })
    }

    /// The image that runs is the release's.
    fn registers(&self, verified: &Verified) -> Result<(), String> {
        if verified.debug() {
            return Err("its enclave runs in debug mode, where the node reads its console".into());
        }
        for (index, wanted) in self.measurement.all() {
            let found = verified.pcrs.get(&index);
            if found != Some(wanted) {
                let found = found.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                return Err(format!(
                    "its PCR{index} is {found}, and the release's is {wanted}"
                ));
            }
        }
        Ok(())
    }

    /// It holds this cluster's master key, unsealed from the blob that is stored; the ARNs of the shares that it opened.
    fn state(&self, claims: &GateClaims) -> Result<BTreeSet<String>, String> {
        if claims.cluster_id != self.cluster_id {
            return Err(format!(
                "it works for cluster {}, and not for {}",
                claims.cluster_id, self.cluster_id
            ));
        }
        if claims.blob != self.blob {
            return Err("its sealed blob is not the one that is stored".to_owned());
        }
        if !claims.unsealed {
            return Err("it is sealed, although its pod is ready".to_owned());
        }
        if let Some(register) = self.measurement.register(MANIFEST_REGISTER) {
            let digest = claims.manifest.map(Digest::from_bytes);
            if digest.map(|digest| digest.register()) != Some(*register) {
                return Err(
                    "it does not work under the manifest that its release attests".to_owned(),
                );
            }
        }
        if hex::encode(claims.commitment) != self.commitment {
            return Err("its master key is not the one that status records".to_owned());
        }
        let opened = claims.opened.iter().map(|share| {
            let index = usize::from(*share).checked_sub(1);
            let key = index.and_then(|index| self.keys.get(index)).cloned();
            key.ok_or_else(|| format!("it opened share {share}, of {} there are", self.keys.len()))
        });
        opened.collect()
    }
}

/// Without the numbers that differ from one document to the next.
fn said(rejected: Rejected) -> String {
    match rejected {
        Rejected::Stale(_) => format!(
            "its document is more than {FRESH} seconds away from the operator's clock: set the clocks right"
        ),
        Rejected::Validity { .. } => {
            "its document's certificates are not valid now: set the clocks right".to_owned()
        }
        other => other.to_string(),
    }
}
