//! Clients of SQL beside clients of Redis: the functions that take part in a business transaction, and the views.

mod functions;
mod queues;
mod sweeper;
mod transactions;
mod views;
