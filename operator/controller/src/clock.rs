//! What time it is: one of the ports of a turn, so that a test may set it.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The clock of the node.
    pub fn of_the_node() -> Self {
        Self::new(Timestamp::now)
    }

    /// Another one.
    pub fn new(tells: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tells))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}
