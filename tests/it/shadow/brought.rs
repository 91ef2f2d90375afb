//! `import` and `verify --repair` beside a server in shadow mode: it brings the keys over, in order with what clients write.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use super::workload::{Random, next};
use super::{Shadow, connect, send, task, verify};
use crate::support::client::Value;
use crate::support::redis::Redis;

#[test]
fn imported_while_clients_write() {
    let redis = Redis::start();
    let mut upstream = redis.connect();
    for number in 0..2000 {
        upstream.plain(["SET", &format!("old:{number}"), "value"]);
        upstream.plain(["XADD", &format!("stream:old:{}", number % 50), "*", "f", "v"]);
    }
    let shadow = Shadow::start(redis, &[]);
    let stop = AtomicBool::new(false);
    let imported = thread::scope(|scope| {
        for number in 0..4 {
            let (stop, address) = (&stop, shadow.address());
            scope.spawn(move || {
                let (mut client, mut random) = (connect(address), Random::new(number + 1));
                let mut count = 0;
                while !stop.load(Relaxed) {
                    let calls = next(&mut random, &[]);
                    if calls[0][0] != "FLUSHDB" && calls[0][0] != "SWAPDB" {
                        send(&mut client, &calls);
                    }
                    // Those that are about to be copied, too.
                    client.plain(["APPEND", &format!("old:{}", random.below(2000)), "x"]);
                    client.plain(["XADD", &format!("stream:old:{}", random.below(50)), "*", "f", "v"]);
                    count += 1;
                }
                assert!(count > 50);
            });
        }
        let said = task("import", &shadow.redis, &shadow.database, &[]);
        stop.store(true, Relaxed);
        String::from_utf8(said).expect("text")
    });
    assert!(imported.contains("it is asked to bring the keys over"), "{imported}");
    shadow.assert_equal();
    assert!(verify(&shadow.redis, &shadow.database)["keys"].as_u64().expect("a number") > 2000);
}

/// What somebody does to the upstream past respg nobody can follow, but it is found and brought over.
#[test]
fn changes_behind_its_back_are_found_and_repaired() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.call(
        "SET a 1; SET b 1 EX 1000; SET c 1; XADD s 1-1 f v; XADD s 2-1 f v; XGROUP CREATE s g 0; SET n 3",
    );
    shadow.assert_equal();
    let mut behind = shadow.redis.connect();
    let changes =
        "SET a 2; PERSIST b; DEL c; XDEL s 1-1; XREADGROUP GROUP g c STREAMS s >; SET n 3.0; SET new 1";
    for change in changes.split(';') {
        assert!(!behind.plain(change).is_error(), "{change}");
    }
    assert_eq!(verify(&shadow.redis, &shadow.database)["different"], 6);
    let said = task("verify", &shadow.redis, &shadow.database, &["--json", "--settle", "600", "--repair"]);
    let said: serde_json::Value = serde_json::from_slice(&said).expect("JSON");
    assert_eq!(said["repaired"], 6, "{said:#}");
    assert!(shadow.number("repaired") >= 6);
    shadow.assert_equal();
    // The mode is not changed by a change of keys.
    assert_eq!(shadow.call("RESPG.MODE GET"), [Value::from("shadow")]);
}
