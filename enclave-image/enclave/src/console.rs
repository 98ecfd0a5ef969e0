//! The enclave's console: silent in production, because its parent may read it.

use std::io::Write;

/// One line, whatever becomes of it.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "unseal-agent: {line}");
}

/// A panic says where it was and not what with, which could be a secret; then `last` is called.
pub fn hush_panics(last: impl Fn() + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location();
        say(&place.map_or("panic".to_owned(), |place| format!("panic at {place}")));
        last();
    }));
}

/// Logs to the console from now on. Only a debug enclave does, which can never unseal.
pub fn log() {
    let logger = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .finish();
    // A second call changes nothing.
    let _ = tracing::subscriber::set_global_default(logger);
}
