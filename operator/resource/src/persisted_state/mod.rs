//! The facts that only status knows, as the planner reads them and as an action leaves them.

mod read;
mod write;

pub use read::read;
pub use write::acted;
