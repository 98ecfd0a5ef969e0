//! Values of fields that are not given.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) fn replicas() -> i32 {
    3
}

pub(super) fn template() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

pub(super) fn soak_time() -> String {
    "2m".into()
}

pub(super) fn max_unavailable() -> IntOrString {
    IntOrString::Int(1)
}

pub(super) fn max_surge() -> IntOrString {
    IntOrString::Int(0)
}

pub(super) fn settle_time() -> String {
    "30s".into()
}

pub(super) fn progress_deadline() -> String {
    "10m".into()
}
