//! Keyspace notifications.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{pushed, subscribe};
use crate::support::client::{Client, Value, error, ok};
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};

/// `channel message`, as the next event.
fn event(watcher: &mut Client) -> String {
    let parts = pushed(watcher);
    let text = |value: &Value| match value {
        Value::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    format!("{} {}", text(&parts[parts.len() - 2]), text(&parts[parts.len() - 1]))
}

fn watcher(respg: &Respg, pattern: &str) -> Client {
    let mut watcher = respg.connect();
    subscribe(&mut watcher, &format!("PSUBSCRIBE {pattern}"));
    watcher
}

/// Puts a mark behind all events so far, and takes the events.
fn events(watcher: &mut Client, writer: &mut Client) -> Vec<String> {
    assert!(writer.plain("PUBLISH __keyevent@0__:mark end") != 0);
    let mut seen = Vec::new();
    loop {
        match event(watcher) {
            mark if mark == "__keyevent@0__:mark end" => return seen,
            other => seen.push(other),
        }
    }
}

#[test]
fn events_follow_what_is_committed() {
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    let mut watcher = watcher(&respg, "__key*__:*");
    assert_eq!(client.plain("SET k v"), ok());
    assert_eq!(client.plain("CONFIG SET notify-keyspace-events KEAmn"), ok());
    assert_eq!(client.plain("SET k v"), ok());
    assert_eq!(client.plain("INCR k"), error("ERR value is not an integer or out of range"));
    client.send(["MULTI", "SET a 1", "INCR a", "PUBLISH a x", "DEL a", "EXEC"]);
    (0..6).for_each(|_| drop(client.read()));
    assert_eq!(client.plain("GET none"), Value::Null);
    client.send(["WATCH k", "SET k w", "MULTI", "SET never v", "EXEC"]);
    (0..5).for_each(|_| drop(client.read()));
    let expected = "keyspace:k set|keyevent:set k|keyspace:a new|keyevent:new a|keyspace:a set|keyevent:set a|\
                    keyspace:a incrby|keyevent:incrby a|keyspace:a del|keyevent:del a|keyspace:none keymiss|\
                    keyevent:keymiss none|keyspace:k set|keyevent:set k";
    let seen = events(&mut watcher, &mut client).join("|").replace("__key", "key").replace("@0__", "");
    assert_eq!(seen, expected);
    assert_eq!(client.plain("CONFIG SET notify-keyspace-events A"), ok());
    assert_eq!(client.plain("SET k v"), ok());
    assert_eq!(events(&mut watcher, &mut client), Vec::<String>::new());
}

/// Its events are in its transaction, those of commands before it are not, and nobody waits for them.
#[test]
fn an_exec_that_publishes_comes_after_what_came_before() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    let (mut client, mut watcher) = (respg.connect(), watcher(&respg, "__keyevent@0__:*"));
    assert_eq!(client.plain("CONFIG SET notify-keyspace-events EA"), ok());
    assert_eq!(client.plain("SET k v"), ok());
    assert_eq!(events(&mut watcher, &mut client), ["__keyevent@0__:set k"]);
    let publisher: i32 = blocking(async {
        let one = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_notify(n.channel%'
                   AND pid <> pg_backend_pid()";
        connect(&url).await.query_one(one, &[]).await.expect("the session that publishes").get(0)
    });
    let publisher = Pid::from_raw(publisher).expect("a process");
    kill_process(publisher, Signal::STOP).expect("it is there");
    assert_eq!(client.plain("SET first v"), ok());
    client.send(["MULTI", "SET second v", "PUBLISH a x", "EXEC"]);
    sleep(Duration::from_millis(300));
    kill_process(publisher, Signal::CONT).expect("it is there");
    (0..4).for_each(|_| drop(client.read()));
    let seen = events(&mut watcher, &mut client);
    assert_eq!(seen, ["__keyevent@0__:set first", "__keyevent@0__:set second"]);
}

#[test]
fn the_setting_belongs_to_the_database() {
    let url = blocking(fresh_database());
    let (one, other) = (Respg::on(&url, &[]), Respg::on(&url, &[]));
    let mut watcher = watcher(&one, "__keyevent@0__:*");
    let (mut here, mut there) = (one.connect(), other.connect());
    assert_eq!(here.plain("CONFIG SET notify-keyspace-events E$n"), ok());
    let begun = Instant::now();
    while there.plain("CONFIG GET notify-keyspace-events").map()[0].1 != "$nE" {
        assert!(begun.elapsed() < Duration::from_secs(5), "not followed");
    }
    assert_eq!(there.plain("SET k v"), ok());
    // What the other process says comes in its own order.
    assert_eq!(events(&mut watcher, &mut there), ["__keyevent@0__:new k", "__keyevent@0__:set k"]);
    let third = Respg::on(&url, &[]);
    assert!(third.connect().plain("CONFIG GET notify-keyspace-events").map()[0].1 == "$nE");
}

/// Another process has changed it meanwhile, and this one has not heard: what it is told is no news to it, but to the database.
#[test]
fn a_setting_is_set_whatever_the_process_has_heard() {
    let url = blocking(fresh_database());
    let respg = Respg::on(&url, &[]);
    let mut client = respg.connect();
    assert_eq!(client.plain("CONFIG SET notify-keyspace-events KEA"), ok());
    let stored = blocking(async {
        let sql = connect(&url).await;
        let changed = "UPDATE respg.settings SET value = '' WHERE name = 'notify-keyspace-events'";
        assert_eq!(sql.execute(changed, &[]).await.unwrap(), 1);
        assert_eq!(client.plain("CONFIG SET notify-keyspace-events KEA"), ok());
        let query = "SELECT value FROM respg.settings WHERE name = 'notify-keyspace-events'";
        sql.query_one(query, &[]).await.unwrap().get::<_, String>(0)
    });
    assert!(stored.ends_with("KE"), "{stored}");
}

/// What an EXEC sets is not committed yet: the process hears of the last change and reads from the database what that was.
#[test]
fn a_setting_of_an_exec_is_not_overwritten_by_an_older_one() {
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    for value in ["$KE", "AKE", "gK"].into_iter().cycle().take(150) {
        let set = format!("CONFIG SET notify-keyspace-events {value}");
        client.send([
            "MULTI",
            &set,
            "PUBLISH a x",
            "PUBLISH a x",
            "CONFIG GET notify-keyspace-events",
            &set,
            "EXEC",
        ]);
        (0..6).for_each(|_| drop(client.read()));
        let Value::Array(replies) = client.read() else { panic!("no array") };
        assert_eq!(replies[3].clone().map()[0].1, value);
    }
    assert_eq!(client.plain("CONFIG GET notify-keyspace-events").map()[0].1, "gK");
}

#[test]
fn expired_is_told_once_and_soon() {
    let url = blocking(fresh_database());
    let servers = [Respg::on(&url, &[]), Respg::on(&url, &[]), Respg::on(&url, &[])];
    let mut client = servers[0].connect();
    let mut watcher = watcher(&servers[1], "__keyevent@*__:expired");
    // Before anybody wants to know of it: found by the sweeper.
    assert_eq!(client.plain("SET early v PX 1500"), ok());
    assert_eq!(client.plain("CONFIG SET notify-keyspace-events Ex"), ok());
    for number in 0..100 {
        assert_eq!(client.plain(format!("SET k{number} v PX 100").as_str()), ok());
    }
    let begun = Instant::now();
    let mut seen: Vec<String> = (0..100).map(|_| event(&mut watcher)).collect();
    let took = begun.elapsed();
    println!("100 keys are told to have expired {took:?} after the last was set for 100 ms");
    // Unless somebody wants to know, a sweep begins 10 s after another.
    assert!(took < Duration::from_secs(5), "{took:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 100);
    let begun = Instant::now();
    assert_eq!(event(&mut watcher), "__keyevent@0__:expired early");
    println!("found by the sweeper {:?} later", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(15));
    // Renewed in time: not told. Overwritten or set by SQL: told once.
    assert_eq!(client.plain("SET kept v PX 500"), ok());
    assert_eq!(client.plain("PERSIST kept"), 1);
    blocking(async {
        let set = "SELECT respg.set('sql', 'v', interval '100 milliseconds')";
        connect(&url).await.execute(set, &[]).await.unwrap();
    });
    assert_eq!(event(&mut watcher), "__keyevent@0__:expired sql");
    assert_eq!(client.plain("SET over v PX 1"), ok());
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(client.plain("SET over v"), ok());
    assert_eq!(event(&mut watcher), "__keyevent@0__:expired over");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(client.plain("PUBLISH __keyevent@0__:expired end"), 1);
    assert_eq!(event(&mut watcher), "__keyevent@0__:expired end");
}
