//! Clients that go on writing while keys are copied and compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use serde_json::json;

use super::{run, verify};
use crate::support::pg::fresh_database;
use crate::support::redis::Redis;
use crate::support::respg::blocking;

#[test]
fn a_key_that_is_written_all_the_time_is_superseded() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|number| {
            let (mut client, stop) = (redis.connect(), stop.clone());
            thread::spawn(move || {
                let mut count = 0;
                while !stop.load(Relaxed) {
                    let key = format!("changing:{}", count % 10);
                    let replies = [
                        client.plain(["APPEND", &key, "x"]),
                        client.plain(["XADD", &format!("stream:{number}"), "*", "a", "b"]),
                        client.plain(["SET", &format!("new:{number}:{count}"), "v", "PX", "2000"]),
                    ];
                    assert!(replies.iter().all(|reply| !reply.is_error()), "{replies:?}");
                    count += 1;
                    thread::sleep(std::time::Duration::from_millis(2));
                }
            })
        })
        .collect();
    let mut client = redis.connect();
    (0..500).for_each(|key| assert!(!client.plain(["SET", &format!("still:{key}"), "v"]).is_error()));
    let (code, said) = run("import", &redis.url(), &database, &["--match", "[cs]*"]);
    assert_eq!(code, 0, "{said}");
    let (code, report) = verify(&redis.url(), &database, &["--match", "[cs]*"]);
    assert_eq!((code, &report["different"]), (2, &json!(0)), "{report:#}");
    assert_eq!(report["superseded"], json!(13), "{report:#}");
    stop.store(true, Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    let (code, report) = verify(&redis.url(), &database, &["--match", "[cs]*", "--repair"]);
    assert_eq!((code, &report["repaired"]), (0, &json!(13)), "{report:#}");
}
