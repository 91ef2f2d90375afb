//! Shadow mode's follower: what the answering side has done is queued in its order, and done again, by its effect, on the other side. Knows commands
//! and how they are executed; knows nothing of sockets and of clients.

pub mod compare;
mod dirty;
pub mod effect;
mod passing;
mod queue;
mod record;
mod spool;

pub use dirty::{Dirty, Repair};
pub use passing::Passing;
pub use queue::{Bounds, Queue};
pub use record::{Record, Touched, What};
pub use spool::Spool;
