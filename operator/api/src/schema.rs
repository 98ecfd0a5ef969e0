//! Schemas that schemars cannot derive: a measurement's registers, a pod template.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, json};

/// 96 lower-case hex characters.
const PCR_PATTERN: &str = "^[0-9a-f]{96}$";

const ZERO_REGISTER: &str = "a register of zeros binds nothing: enclaves in debug mode and unsigned images attest it. Leave it out, or use what `nitro-cli describe-eif` prints for the release";

/// `imageSha384` and `pcr1` to `pcr31`, each 96 lower-case hex characters.
pub fn measurement(_: &mut SchemaGenerator) -> Schema {
    let pcr = |what: &str| json!({"type": "string", "pattern": PCR_PATTERN, "maxLength": 96, "description": what});
    let mut properties = Map::new();
    let image = "PCR0 of the enclave image, as `nitro-cli describe-eif` prints it: 96 lower-case hex characters.";
    properties.insert("imageSha384".into(), pcr(image));
    for index in 1..=31 {
        let what = format!("PCR{index} of the release, where it is to be part of its identity.");
        let mut register = pcr(&what);
        register["x-kubernetes-validations"] = json!([{
            "rule": "!self.matches('^0+$')",
            "reason": "FieldValueInvalid",
            "message": ZERO_REGISTER,
        }]);
        properties.insert(format!("pcr{index}"), register);
    }
    json_schema!({
        "type": "object",
        "required": ["imageSha384"],
        "properties": properties,
        "x-kubernetes-validations": [{
            "rule": "!self.imageSha384.matches('^0+$')",
            "reason": "FieldValueInvalid",
            "fieldPath": ".imageSha384",
            "message": "imageSha384 is all zeros: that is any enclave in debug mode. Use the PCR0 that `nitro-cli describe-eif` prints for the release"
        }, {
            "rule": "!self.imageSha384.matches('^f+$')",
            "reason": "FieldValueInvalid",
            "fieldPath": ".imageSha384",
            "message": "imageSha384 is 96 x f, which no image has: it stands in policies that admit nobody. Use the PCR0 that `nitro-cli describe-eif` prints for the release"
        }]
    })
}

/// The same in status: texts that the schema of the spec has accepted already.
pub fn measurement_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": {"type": "string"}})
}

/// Values by condition key.
pub fn assumed(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "maxLength": 256}
    })
}

/// ARN of a KMS key, in any partition.
pub fn key_arn(_: &mut SchemaGenerator) -> Schema {
    arn("kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")
}

/// ARNs of KMS keys, in the order of the shares.
pub fn key_arns(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "minItems": 1, "maxItems": 10, "items": key_arn(generator)})
}

/// ARN of an IAM role, in any partition.
pub fn role_arn(_: &mut SchemaGenerator) -> Schema {
    let mut schema = arn("iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+");
    schema.insert("nullable".to_owned(), json!(true));
    schema
}

fn arn(rest: &str) -> Schema {
    let partitions = key_policy::PARTITIONS.join("|");
    let pattern = format!("^arn:({partitions}):{rest}$");
    json_schema!({"type": "string", "maxLength": 256, "pattern": pattern})
}

/// A list of them.
pub fn measurements_status(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": measurement_status(generator)})
}

/// A number, or a share such as `25%`; what it may be is in the rules beside it.
pub fn count_or_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true})
}

/// A pod template: everything of Kubernetes is allowed, only the containers' names are looked at.
pub fn pod_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "Pod template of the chambers. Container `enclave` gets the release's image. Empty: a generated one.",
        "properties": {
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "spec": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
                "required": ["containers"],
                "properties": {
                    "containers": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 20,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string", "maxLength": 63}},
                            "x-kubernetes-preserve-unknown-fields": true
                        }
                    }
                }
            }
        },
        "x-kubernetes-validations": [{
            "rule": "!has(self.spec) || self.spec.containers.exists(c, c.name == 'enclave')",
            "reason": "FieldValueInvalid",
            "fieldPath": ".spec.containers",
            "message": "spec.containers has no container named `enclave`: name the one that runs the release's image `enclave`"
        }]
    })
}
