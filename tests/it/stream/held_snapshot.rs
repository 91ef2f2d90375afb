//! A transaction that stays open elsewhere keeps dead rows from being removed. Nothing that a stream's commands look up may have to walk them.

use std::time::Duration;

use crate::support::client::{Client, Protocol, Value, ok};
use crate::support::pg::connect;
use crate::support::respg::blocking;
use crate::support::server;

use respg::config::Config;

const ENTRIES: usize = 600;

/// What the commands look up: the key, the stream's row, its first and its last entry.
const LOOK_UPS: [&str; 4] = [
    "SELECT * FROM respg.keys WHERE key = 's' AND space = $1",
    "SELECT * FROM respg.streams WHERE object_id = $1 ORDER BY version DESC LIMIT 1",
    "SELECT * FROM respg.stream_entries WHERE object_id = $1 AND id >= '$2' ORDER BY id LIMIT 1",
    "SELECT * FROM respg.stream_entries WHERE object_id = $1 ORDER BY id DESC LIMIT 1",
];

#[test]
fn look_ups_do_not_walk_dead_rows() {
    let running = server::start(Config::defaults());
    let mut c = Client::connect(running.socket, Protocol::Resp2);
    assert!(!c.plain("XADD s * f v").is_error());
    let url = running.database_url.as_str();
    let buffers = blocking(async {
        let holder = connect(url).await;
        holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM respg.keys").await.unwrap();
        // Each a commit of its own; every entry but the last ten is deleted again.
        for _ in 0..ENTRIES {
            assert!(!c.plain("XADD s MAXLEN 10 * f v").is_error());
        }
        let client = connect(url).await;
        client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
        let names = "SELECT d.space::text, s.object_id::text, s.first_id::text FROM respg.databases d, respg.streams s
                     WHERE d.db = 0 ORDER BY s.version DESC LIMIT 1";
        let names = client.query_one(names, &[]).await.unwrap();
        let [space, object, first]: [String; 3] = [0, 1, 2].map(|column| names.get(column));
        let mut buffers = Vec::new();
        for (place, look_up) in LOOK_UPS.iter().enumerate() {
            let look_up =
                look_up.replace("$1", if place == 0 { &space } else { &object }).replace("$2", &first);
            buffers.push(buffers_of(&client, &look_up).await);
        }
        holder.batch_execute("COMMIT").await.unwrap();
        buffers
    });
    assert!(buffers.iter().all(|buffers| *buffers <= 20), "pages per look-up: {buffers:?}");
}

/// The same of the statements that commands are made of, as the planner makes them when statistics tell it of the few live rows: seen to fail (603 pages
/// a cycle in place of 278) when rows to be changed are joined by `=`.
#[test]
fn a_queue_costs_what_it_did() {
    let running = server::start(Config::defaults());
    let mut c = Client::connect(running.socket, Protocol::Resp2);
    assert_eq!(c.plain("XGROUP CREATE s g $ MKSTREAM"), ok());
    let mut cycles = |count: usize| {
        for _ in 0..count {
            let id = c.plain("XADD s MAXLEN ~ 100 * f v").to_string_lossy();
            assert_eq!(c.plain("XREADGROUP GROUP g c COUNT 10 STREAMS s >").entries().len(), 1);
            assert_eq!(c.plain(["XACK", "s", "g", &id]), 1);
            assert_eq!(c.plain("XREADGROUP GROUP g c STREAMS s 0").entries().len(), 1);
            assert_eq!(c.plain("XCLAIM s g c 0 1-1"), Value::Array(Vec::new()));
        }
    };
    blocking(async {
        let url = running.database_url.as_str();
        let (holder, client) = (connect(url).await, connect(url).await);
        let mut pages = Vec::new();
        cycles(20);
        holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM respg.keys").await.unwrap();
        for dead in [0, 1500] {
            cycles(dead);
            client.batch_execute("VACUUM ANALYZE").await.unwrap();
            // Plans are renewed, and a session says once a second what it has touched.
            let pause = || std::thread::sleep(Duration::from_millis(1200));
            pause();
            cycles(1);
            let before = pages_touched(&client).await;
            cycles(50);
            pause();
            cycles(1);
            pages.push((pages_touched(&client).await - before) / 51);
        }
        println!("pages a cycle: {pages:?}");
        assert!(pages[1] < pages[0] * 3 / 2, "pages a cycle: {pages:?}");
    });
}

async fn pages_touched(client: &tokio_postgres::Client) -> i64 {
    let query = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()";
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// How many pages a query touches.
async fn buffers_of(client: &tokio_postgres::Client, query: &str) -> u64 {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {query}");
    // The first time the planner touches pages of its own.
    client.query(&explain, &[]).await.unwrap();
    let rows = client.query(&explain, &[]).await.unwrap();
    let lines = rows.iter().map(|row| row.get::<_, String>(0));
    let hits = lines.filter_map(|line| line.split("hit=").nth(1)?.split(' ').next()?.parse::<u64>().ok());
    hits.max().expect("Postgres counts buffers")
}
