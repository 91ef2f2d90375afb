//! Wrappers around [`Executor`](crate::exec::Executor): what concerns all commands and none in particular.
