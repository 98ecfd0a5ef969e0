//! The API server: clients whose calls are counted and whose answers have a deadline, and errors in one stable line.

mod counted;
mod deadline;
mod error;

pub use counted::counted;
pub use deadline::calling;
pub use error::Error;
