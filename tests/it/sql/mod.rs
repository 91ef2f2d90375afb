//! Clients of SQL beside clients of Redis: the functions that take part in a business transaction, and the views.

mod functions;
mod queue_options;
mod queues;
mod sweeper;
mod transactions;
mod views;
