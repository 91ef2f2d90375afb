//! The server's bounds: bad input, slow and many clients, large values, starting and stopping, what each durability class promises.

mod crowd;
mod durability;
mod input;
mod limits;
mod panics;
mod sizes;
mod slow_reader;
mod statements;
mod stop;
