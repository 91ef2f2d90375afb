//! Sockets and the life of the process.
