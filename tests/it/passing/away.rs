//! The upstream goes and comes back.

use std::time::{Duration, Instant};

use rustix::process::Signal;

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

/// Who needs a connection for himself, and who is there before the first one, is told so; nobody waits for ever, nor does a change of the mode for him.
#[test]
fn an_upstream_that_accepts_connections_and_does_not_answer() {
    let redis = Redis::start();
    let options = ["--upstream", &redis.url(), "--mode", "redis"];
    let respg = Respg::start(&options);
    assert_eq!(respg.connect().plain("SET k v"), ok());
    redis.signal(Signal::STOP);
    let unanswered = |reply: Value| {
        let said = reply.to_string_lossy();
        assert!(
            said.contains("LOADING the upstream Redis: ") && said.contains("no answer in time"),
            "{said}"
        );
    };
    for line in ["BLPOP nothing 0", "SUBSCRIBE c", "MONITOR", "WATCH k"] {
        let mut client = respg.connect();
        client.wait_up_to(8);
        unanswered(client.plain(line));
    }
    let mut late = respg.connect();
    late.send(["BLPOP nothing 0"]);
    assert_eq!(respg.connect().plain("RESPG.MODE SET postgres FORCE"), ok());
    unanswered(late.read());
    let early = Respg::start(&options);
    let mut client = early.connect();
    client.wait_up_to(8);
    unanswered(client.plain("GET k"));
    redis.signal(Signal::CONT);
    while early.connect().plain("GET k").is_error() {}
}
