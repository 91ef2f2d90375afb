//! Reads that Postgres answers in shadow mode already: nobody sees anything older than what was acknowledged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use super::pair::{PATIENCE, Pair, number, pause, settle};
use crate::support::client::{Client, Protocol, Value, WRONG_TYPE, error, ok};
use crate::support::pg;
use crate::support::redis::PROGRAMS;
use crate::support::respg::blocking;

fn share(client: &mut Client, percentage: i64) {
    assert_eq!(client.plain(["RESPG.MODE", "READS", &percentage.to_string()]), ok());
    let begun = Instant::now();
    while client.plain("RESPG.MODE READS") != Value::Integer(percentage) {
        assert!(begun.elapsed() < PATIENCE);
    }
}

/// Reads what it and others have written. `newest`: a count that somebody was told.
fn read_and_write(address: SocketAddr, seed: u64, newest: &AtomicI64, stop: &AtomicBool) {
    let mut client = Client::connect(address, Protocol::Resp2);
    let key = format!("own:{seed}");
    for i in 0.. {
        if stop.load(SeqCst) {
            return;
        }
        let value = i.to_string();
        assert_eq!(client.plain(["SET", &key, &value]), ok());
        assert_eq!(client.plain(["GET", &key]).to_string_lossy(), value);
        client.send(
            [
                ["SET", &key, "x"].as_slice(),
                &["GET", &key],
                &["SET", &key, &value],
                &["GET", &key],
                &["GET", "nothing"],
                &["STRLEN", &key],
            ]
            .map(<[&str]>::to_vec),
        );
        let replies: Vec<String> = (0..6).map(|_| client.read().to_string_lossy()).collect();
        assert_eq!((replies[1].as_str(), &replies[3]), ("x", &value));
        assert_eq!(replies[5], Value::Integer(value.len() as i64).to_string_lossy());
        if seed == 0 {
            newest.fetch_max(client.plain("INCR counter").integer(), SeqCst);
        }
        let before = newest.load(SeqCst);
        let seen: i64 = client.plain("GET counter").to_string_lossy().parse().unwrap_or(0);
        assert!(seen >= before, "{seen} although somebody was told {before}");
        // So that it is followed now and then.
        if i % 3 == 0 {
            pause(0.02);
            assert_eq!(client.plain(["GET", &key]).to_string_lossy(), value);
        }
    }
}

#[test]
fn nothing_older_than_what_was_acknowledged() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut client = respg.connect();
    share(&mut client, 100);
    let (newest, stop) = (AtomicI64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (newest, stop, address) = (&newest, &stop, respg.address());
        let clients: Vec<_> =
            (0..4).map(|i| scope.spawn(move || read_and_write(address, i, newest, stop))).collect();
        pause(3.0);
        stop.store(true, SeqCst);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    assert!(number(&mut client, "reads_answered") > 10);
    pair.assert_equal([&respg]);
}

#[test]
fn what_postgres_does_not_know_is_asked_of_the_upstream() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut client = respg.connect();
    assert_eq!(client.plain("RESPG.MODE READS 101"), error("ERR the percentage is between 0 and 100"));
    share(&mut client, 100);
    client.plain("HSET hash f v");
    client.plain("SET k v");
    settle(&respg);
    let before = number(&mut client, "reads_answered");
    assert_eq!(client.plain("GET hash"), error(WRONG_TYPE));
    assert_eq!(client.plain("EXISTS hash"), Value::Integer(1));
    assert_eq!(client.plain("TYPE hash").to_string_lossy(), "hash");
    assert_eq!(client.plain("GET nothing"), Value::Null);
    assert_eq!(number(&mut client, "reads_answered"), before);
    assert_eq!(client.plain("GET k").to_string_lossy(), "v");
    assert_eq!(number(&mut client, "reads_answered"), before + 1);
    // Postgres does not answer: the upstream does.
    let database = pair.database.clone();
    blocking(async move {
        let postgres = pg::connect(&database).await;
        postgres
            .batch_execute("BEGIN; LOCK TABLE respg.keyspace IN ACCESS EXCLUSIVE MODE")
            .await
            .expect("SQL");
        assert_eq!(client.plain("GET k").to_string_lossy(), "v");
        assert_eq!(client.plain("SET k w"), ok());
        assert_eq!(client.plain("GET k").to_string_lossy(), "w");
        postgres.batch_execute("ROLLBACK").await.expect("SQL");
    });
    let mut client = respg.connect();
    share(&mut client, 0);
    settle(&respg);
    let before = number(&mut client, "reads_answered");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(client.plain("GET k").to_string_lossy(), "w");
    assert_eq!(number(&mut client, "reads_answered"), before);
}

/// redis-py 8 begins with CLIENT MAINT_NOTIFICATIONS, which is refused on a connection of its own.
#[test]
fn of_clients_that_have_had_a_connection_of_their_own() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut client = respg.connect();
    share(&mut client, 100);
    client.plain("SELECT 1");
    client.plain("SET k 0");
    settle(&respg);
    for call in ["CLIENT NOSUCH", "BLPOP list 0.01", "WATCH k", "UNWATCH"] {
        client.plain(call);
        settle(&respg);
        let before = number(&mut client, "reads_answered");
        assert_eq!(client.plain("GET k").to_string_lossy(), "0");
        assert_eq!(number(&mut client, "reads_answered"), before + i64::from(call != "WATCH k"), "{call}");
    }
    // In one go with what comes back from there, and what it has written there.
    for i in 1..100 {
        let value = i.to_string();
        let calls = [
            &["CLIENT", "NOSUCH"][..],
            &["GET", "k"],
            &["WATCH", "k"],
            &["MULTI"],
            &["SET", "k", &value],
            &["EXEC"],
            &["GET", "k"],
        ];
        client.send(calls.map(<[&str]>::to_vec));
        let replies: Vec<Value> = (0..calls.len()).map(|_| client.read()).collect();
        assert!(replies[0].is_error(), "{replies:?}");
        assert_eq!(replies[1].to_string_lossy(), (i - 1).to_string());
        assert_eq!(replies[6].to_string_lossy(), value, "{replies:?}");
        assert_eq!(client.plain("GET k").to_string_lossy(), value);
    }
    settle(&respg);
    let before = number(&mut client, "reads_answered");
    assert_eq!(client.plain("GET k").to_string_lossy(), "99");
    assert_eq!(number(&mut client, "reads_answered"), before + 1);
}
