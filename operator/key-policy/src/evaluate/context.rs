//! What is known of a request: condition keys with their values, and what is known of all others.

use std::collections::BTreeMap;
use std::sync::Arc;

use measurement::Measurement;

use super::fact::Fact;
use super::principal::Principal;
use crate::arn::Arn;
use crate::{ATTESTATION, IMAGE_SHA384};

/// Keys with several values, in lower case.
const SEVERAL: [&str; 10] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "kms:encryptioncontextkeys",
    "kms:grantoperations",
    "kms:resourcealiases",
];

/// Bytes of a key that is short.
const SHORT: usize = 64;

/// The attestation that a request carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Attestation {
    /// None, or all of its registers are given as keys.
    #[default]
    Complete,
    /// Of an enclave with this measurement; registers that it does not name may be there.
    Measured {
        measurement: Measurement,
        /// Its `ImageSha384`, which is asked for most.
        image: [String; 1],
    },
    /// Of an enclave of which single registers are given as keys.
    Enclave,
    /// Of an instance with a `NitroTPM`, likewise.
    NitroTpm,
}

/// The condition keys of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// What was set, in the order of the keys, in lower case: there are few, and most differ in their length.
    set: Vec<(String, Vec<String>)>,
    /// What is known of every request of its kind, where nothing else was set: keys in lower case, `None` where absent.
    usual: &'static [(&'static str, Option<&'static str>)],
    /// Who asks, and for which key. Contexts of one subject are made of each other all the time.
    subject: Option<Arc<Subject>>,
    /// Whether a key that is not given is unknown rather than absent.
    open: bool,
    attestation: Attestation,
}

/// What much of a request follows from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject {
    principal: Principal,
    /// ARN of the key; a star is a part that is not known.
    key: String,
}

impl Context {
    /// All keys that the request has, in lower case; every other key is absent.
    pub fn complete(keys: BTreeMap<String, Vec<String>>) -> Self {
        Self {
            set: keys.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Nothing is known but that the request carries no attestation.
    pub fn open() -> Self {
        Self {
            open: true,
            ..Self::default()
        }
    }

    /// A request to this key (an ARN in which a star is a part that is not known) by this principal: what follows
    /// from both is known (IAM user guide, "Global condition context keys"; KMS developer guide, "Condition keys").
    pub fn of(principal: &Principal, key: &str) -> Self {
        Self {
            subject: Some(Arc::new(Subject {
                principal: principal.clone(),
                key: key.to_owned(),
            })),
            ..Self::open()
        }
    }

    /// The same request from an enclave with this measurement. Registers that it does not name are unknown.
    #[must_use]
    pub fn attesting(mut self, measurement: &Measurement) -> Self {
        self.attestation = Attestation::Measured {
            image: [measurement.image_sha384.to_string()],
            measurement: measurement.clone(),
        };
        self
    }

    /// The same request from an enclave of which nothing is known but that it attests an image.
    pub(crate) fn attesting_an_image(mut self) -> Self {
        self.attestation = Attestation::Enclave;
        self
    }

    /// The same request from an instance of which nothing is known but that its `NitroTPM` attests something.
    pub(crate) fn attesting_a_tpm(mut self) -> Self {
        self.attestation = Attestation::NitroTpm;
        self
    }

    /// The same request with these registers (`pcr8`, `nitrotpmpcr4`, ...) in its attestation, of an enclave or a
    /// `NitroTPM`. The error names the first that is no register, or of the other kind.
    pub fn attesting_registers(mut self, registers: &[(String, String)]) -> Result<Self, String> {
        for (name, value) in registers {
            let name = name.to_ascii_lowercase();
            let kind = match register(&name).ok_or_else(|| name.clone())? {
                Register::NitroTpm => Attestation::NitroTpm,
                Register::Enclave(_) => Attestation::Enclave,
            };
            if self.attestation != Attestation::Complete && self.attestation != kind {
                return Err(name);
            }
            self.attestation = kind;
            self.set(&format!("{ATTESTATION}{name}"), [value.clone()]);
            if name == "pcr0" {
                self.set(IMAGE_SHA384, [value.clone()]);
            }
        }
        Ok(self)
    }

    /// The same request where these keys, in lower case, have these values unless others are set; without one they are
    /// absent.
    #[must_use]
    pub(crate) fn usually(
        mut self,
        usual: &'static [(&'static str, Option<&'static str>)],
    ) -> Self {
        self.usual = usual;
        self
    }

    /// Sets a key, in whatever case; without a value it is absent.
    pub fn set<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values = values.into_iter().map(Into::into).collect();
        let key = key.to_ascii_lowercase();
        match self.set.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(place) => self.set[place].1 = values,
            Err(place) => self.set.insert(place, (key, values)),
        }
    }

    /// What is known of a key, in whatever case.
    pub fn fact(&self, key: &str) -> Fact<'_> {
        if !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.fact_of(key);
        }
        // Nearly all keys are short enough to be written in lower case without an allocation.
        let mut short = [0; SHORT];
        let short = short.get_mut(..key.len()).and_then(|short| {
            short.copy_from_slice(key.as_bytes());
            short.make_ascii_lowercase();
            std::str::from_utf8(short).ok()
        });
        match short {
            Some(lower) => self.fact_of(lower),
            None => self.fact_of(&key.to_ascii_lowercase()),
        }
    }

    fn fact_of(&self, key: &str) -> Fact<'_> {
        if let Some((_, values)) = self.set.iter().find(|(known, _)| known == key) {
            return Fact::Values(values.into());
        }
        if let Some((_, value)) = self.usual.iter().find(|(known, _)| *known == key) {
            return value.map_or(Fact::ABSENT, Fact::one);
        }
        if is_attestation(key) {
            return self.attested(key);
        }
        let of_subject = self.subject.as_ref();
        let derived = of_subject.and_then(|subject| subject.fact(key));
        derived.unwrap_or_else(|| self.not_given())
    }

    fn not_given(&self) -> Fact<'_> {
        if self.open {
            Fact::Unknown
        } else {
            Fact::ABSENT
        }
    }

    /// What the attestation has.
    fn attested(&self, key: &str) -> Fact<'_> {
        let name = key.strip_prefix(ATTESTATION).unwrap_or_default();
        match (&self.attestation, register(name)) {
            (Attestation::Measured { image, .. }, _) if name == "imagesha384" => {
                Fact::Values(image.as_slice().into())
            }
            (Attestation::Measured { measurement, .. }, Some(Register::Enclave(index))) => {
                let known = measurement.register(index);
                known.map_or_else(|| self.not_given(), |pcr| Fact::one(pcr.to_string()))
            }
            (Attestation::Enclave, register)
                if name == "imagesha384" || register == Some(Register::Enclave(0)) =>
            {
                Fact::Present
            }
            (Attestation::Enclave, Some(Register::Enclave(_)))
            | (Attestation::NitroTpm, Some(Register::NitroTpm)) => self.not_given(),
            _ => Fact::ABSENT,
        }
    }
}

impl Subject {
    /// What follows for a key in lower case; `None` where nothing does.
    fn fact(&self, key: &str) -> Option<Fact<'static>> {
        let part = |of: fn(Arn<'_>) -> &str| {
            let part = of(Arn::parse(&self.key)?);
            (!part.contains('*')).then(|| Fact::one(part))
        };
        match key {
            "aws:resourceaccount" => part(|arn| arn.account),
            "aws:requestedregion" => part(|arn| arn.region),
            // KMS has no endpoint without TLS.
            "aws:securetransport" => Some(Fact::one("true")),
            // Every request to a key has these.
            "aws:currenttime" | "aws:epochtime" | "kms:keyspec" | "kms:keyusage"
            | "kms:keyorigin" | "kms:multiregion" => Some(Fact::Present),
            _ => self.principal.fact(key),
        }
    }
}

/// Whether a key, in whatever case, is one of the attestation's, or looks like one.
pub(crate) fn is_attestation(key: &str) -> bool {
    let name = ATTESTATION.trim_end_matches(':');
    key.get(..name.len())
        .is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
}

/// Whether KMS has an attestation key of this name, in whatever case.
pub(crate) fn is_attested(name: &str) -> bool {
    name.eq_ignore_ascii_case("ImageSha384") || register(&name.to_ascii_lowercase()).is_some()
}

/// Whether a request may have several values of a key: of AWS's own keys only these (service authorization reference,
/// "Condition keys for AWS KMS", type `ArrayOfString`; IAM user guide, "Multivalued context keys").
pub fn may_have_several(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let own = ["aws:", "kms:"]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    !own || SEVERAL.contains(&key.as_str())
}

/// A register that KMS knows.
#[derive(Clone, Copy, PartialEq)]
enum Register {
    /// `PCR0` to `PCR31`.
    Enclave(u8),
    /// `NitroTPMPCR0` to 23.
    NitroTpm,
}

/// The register of a name in lower case; `None` where KMS knows none of that name.
fn register(name: &str) -> Option<Register> {
    let index = |prefix: &str, last: u8| {
        let text = name.strip_prefix(prefix)?;
        let index: u8 = text.parse().ok()?;
        let plain = text == "0" || !text.starts_with(['0', '+']);
        (index <= last && plain).then_some(index)
    };
    let enclave = index("pcr", 31).map(Register::Enclave);
    enclave.or_else(|| index("nitrotpmpcr", 23).map(|_| Register::NitroTpm))
}
