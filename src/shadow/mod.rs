//! Shadow mode's follower: what the answering side has done is queued in its order, and done again, by its effect, on the other side. Knows commands
//! and how they are executed; knows nothing of sockets and of clients.

mod asking;
mod check;
pub mod compare;
mod dirty;
pub mod effect;
mod follow;
mod followed;
mod following;
mod keeper;
mod lapses;
mod leader;
mod look;
mod marks;
mod order;
mod passing;
mod queue;
mod record;
mod repair;
pub mod report;
mod reverse;
mod runs;
mod served;
mod settle;
mod share;
mod spool;
mod start;
mod target;
mod told;
mod unsettled;
mod waiting;

pub use dirty::Dirty;
pub use follow::Follower;
pub use followed::Followed;
pub use following::{Following, Foreign, Leader};
pub use keeper::{Keeper, Options};
pub use leader::Upstream;
pub use passing::Passing;
pub use queue::{Bounds, Queue};
pub use record::{Record, Touched, What};
pub use reverse::{Noting, Reverse};
pub use share::Share;
pub use spool::Spool;
pub use start::Run;
pub use target::Target;
pub use told::tell_forever;
