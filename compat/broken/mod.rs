//! Servers that are broken on purpose: a redis-server behind a proxy that changes what passes through it. What is said to
//! find faults is shown to find these. Knows nothing of respg.

pub mod expectations;
pub mod proxy;
