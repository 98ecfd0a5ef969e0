//! A real Kubernetes control plane and node in one namespace of this machine.
