//! The upstream goes and comes back.

use std::time::{Duration, Instant};

use crate::support::client::{Value, ok};
use crate::support::pg::Scratch;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::Respg;

#[test]
fn clear_errors_while_the_upstream_is_away_and_service_afterwards() {
    let scratch = Scratch::new();
    let socket = scratch.path().join("redis.sock").display().to_string();
    let start = || Redis::of(PROGRAMS[0], &["--unixsocket", &socket]);
    let redis = start();
    let respg = Respg::start(&["--upstream", &format!("unix://{socket}"), "--mode", "redis"]);
    let (mut client, mut waiting) = (respg.connect(), respg.connect());
    assert_eq!(client.plain("SET k v"), ok());
    waiting.send(["BLPOP nothing 0"]);
    while !client.plain("INFO clients").to_string_lossy().contains("blocked_clients:1") {}
    drop(redis);
    assert!(waiting.is_closed(), "who waited is told by the end of the connection");
    let begun = Instant::now();
    let refused = client.plain("GET k").to_string_lossy();
    assert!(
        refused.starts_with("LOADING the upstream Redis: ") || refused.starts_with("ERR outcome unknown"),
        "{refused}"
    );
    assert_eq!(client.plain("RESPG.MODE GET").to_string_lossy(), "redis");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let _redis = start();
    let begun = Instant::now();
    while client.plain("SET k v").is_error() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no service again");
        std::thread::sleep(Duration::from_millis(20));
    }
    client.send(["MULTI", "GET k", "EXEC"]);
    let replies: Vec<Value> = (0..3).map(|_| client.read()).collect();
    assert_eq!(replies[2], Value::Array(vec![Value::Bulk("v".into())]));
}
