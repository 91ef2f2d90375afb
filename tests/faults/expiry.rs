//! Values with a short time to live, read through all servers: gone for one is gone for all, and not too early.
//!
//! The expiry of a value is an operation of the history like any other (see `Operation::expiries`), so the checker
//! also notices a value that was seen alive after somebody saw it gone, and a SET NX that came too early or too late.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::history::History;
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
