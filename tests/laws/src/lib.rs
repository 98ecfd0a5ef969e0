//! An exhaustive search for a broken law: the real planner, in small worlds where everything goes wrong.
//!
//! A world has 1 to 3 chambers, 1 to 3 keys and three releases. In every state the operator may take its
//! turn whole, die between any two of its calls, lose the answer, or be late with an order while another
//! one leads; pods unseal, crash, are drained and leave; policies take effect late; somebody else edits
//! them; keys are disabled; Prometheus is down, stale or empty; chambers that are asked to attest fall silent or lie; status is lost or restored; and the user
//! changes the release, who manages a key and (before the first seal) an ARN, aborts, retries, revokes, pauses and
//! deletes at any time. Seal pods fail or are somebody else's, as Secrets are; nodes are full; the clock is set back.

pub mod calm;
pub mod causes;
mod checks;
pub mod environment;
pub mod mutant;
pub mod operator;
pub mod search;
pub mod setup;
pub mod state;
pub mod task;
pub mod tell;
pub mod violation;
pub mod world;
pub mod worlds;
