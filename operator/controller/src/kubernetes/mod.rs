//! The API server: a client whose answers have a deadline, and errors in one stable line.

mod deadline;
mod error;

pub use deadline::calling;
pub use error::Error;
