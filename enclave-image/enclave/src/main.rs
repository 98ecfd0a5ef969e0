//! The production program: AWS's root, AWS's TLS roots, `/dev/nsm`, vsock. It has no options.

fn main() {
    enclave::run(enclave::Roots::aws)
}
