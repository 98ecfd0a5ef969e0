//! The pause container: holds a pod's namespaces until the runtime kills it.

fn main() {
    loop {
        std::thread::park();
    }
}
