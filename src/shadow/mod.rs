//! Shadow mode's follower: what the answering side has done is queued in its order, and done again, by its effect, on the other side. Knows commands
//! and how they are executed; knows nothing of sockets and of clients.

pub mod compare;
mod dirty;
pub mod effect;
mod follow;
mod following;
mod leader;
mod passing;
mod queue;
mod record;
mod repair;
pub mod report;
mod settle;
mod spool;
mod start;
mod target;
mod told;

pub use dirty::Dirty;
pub use follow::Follower;
pub use following::{Following, Foreign, Leader};
pub use leader::Upstream;
pub use passing::Passing;
pub use queue::{Bounds, Queue};
pub use record::{Record, Touched, What};
pub use spool::Spool;
pub use start::{Options, start};
pub use target::Target;
