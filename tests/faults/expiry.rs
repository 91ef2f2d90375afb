//! Values with a short time to live, read through all servers: gone for one is gone for all, and not too early.
//!
//! The expiry of a value is an operation of the history like any other (see `Operation::expiries`), so the checker
//! also notices a value that was seen alive after somebody saw it gone, and a SET NX that came too early or too late.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::history::History;
use super::order::{Litmus, at_expiry};
use super::workload::{Load, Workload};

const EXPIRING: Workload = Workload {
    name: "expiring",
    group_size: 200,
    longest_pipeline: 2,
    rest: 3,
    templates: &[
        "SET x $ PX 8",
        "SET x $ PX 3 NX",
        "SET y $ PX 5",
        "SET y $ PX 10",
        "GET x",
        "GET x",
        "MGET x y",
        "EXISTS y x",
        "SET y $",
        "DEL x",
        "GETDEL y",
        "[GET x; GET y; SET z $]",
        "[GET y; SET x $ PX 6; GET x]",
        "?x[SET y $ PX 4]",
        "SET z $ PX 7 XX",
    ],
};

/// Races for the moment of expiry between those who read a key and those who renew it.
pub const RACES: &[Litmus] = &[
    at_expiry(
        "read beside a write",
        "SET x 0; SET y old PX 10",
        &["[GET y; SET x 1]", "[GET x; GET y; SET x 2]", "MGET x y"],
    ),
    at_expiry(
        "read under a lock",
        "SET x 0; SET y old PX 10",
        &["[GET y; INCR x]", "INCR x; GET y", "INCR x; GET y", "GET y"],
    ),
    at_expiry("renewed", "SET y old PX 10", &["SET y new XX", "GET y", "GET y; GET y", "EXISTS y; EXISTS y"]),
    at_expiry("exchanged", "SET y old PX 10", &["SET y new GET", "GET y; GET y", "MGET y x; MGET x y"]),
    at_expiry("taken", "SET y old PX 10", &["GETDEL y", "GETDEL y", "GET y; GET y", "SET y new NX"]),
    at_expiry(
        "locked by the next",
        "SET y old PX 10",
        &["SET y one NX", "SET y two NX", "GET y; SET y three NX", "GET y; GET y"],
    ),
    at_expiry("watched", "SET y old PX 10; SET x 0", &["?y[SET x 1]", "?y[SET y new]", "GET y; MGET x y"]),
    at_expiry(
        "snapshots",
        "SET x 0; SET y old PX 10",
        &["INCR x; GET y", "MGET x y; MGET x y", "MGET y x; MGET y x", "INCR x"],
    ),
];

pub async fn visible(servers: &[SocketAddr], budget: Duration, seed: u64) -> Result<String, String> {
    let history = History::new();
    let load = Load::start(&history, servers, &[&EXPIRING], 6, seed);
    tokio::time::sleep(budget).await;
    load.stop().await;
    let unknown = history.unknown.load(Ordering::Relaxed);
    if unknown > 0 {
        return Err(format!("{unknown} unknown outcomes although nothing was broken"));
    }
    Ok(format!("{} operations and expiries are linearizable", history.check()?))
}
