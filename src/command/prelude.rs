//! What a command file needs.

pub use super::{
    Access, Args, Arity::AtLeast, Arity::Exactly, Command, CommandError, Done, Effect, Flags, Follow, Group,
    KeyOp, KeySpec, KeyUse, Passing, Plan, PlanContext, Steps, View,
};
pub use super::{follow, options};
pub use crate::keyspace::{DbIndex, Entry, Event, Expiry, Kind, Value};
pub use crate::resp::Reply;
pub use bytes::Bytes;
