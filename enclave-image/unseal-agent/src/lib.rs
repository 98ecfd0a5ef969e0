//! The agent inside the enclave: attests, unseals, hands the master key over.
