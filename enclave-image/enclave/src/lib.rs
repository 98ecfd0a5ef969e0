//! PID 1 of the enclave: boots, opens the security module and vsock, ends TLS, runs the agent and the workload.
