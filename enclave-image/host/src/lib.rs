//! The parent side in the pod: launches the enclave, serves metrics and health.
