use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{run, task, verify};
use crate::support::pg::{Scratch, connect, fresh_database};
use crate::support::redis::Redis;
use crate::support::respg::blocking;

const KEYS: usize = 25_000;

/// An import that was killed goes on where it was.
#[test]
fn an_import_is_resumed() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut client = redis.connect();
    for keys in (0..KEYS).collect::<Vec<_>>().chunks(1000) {
        client.send(keys.iter().map(|key| ["SET".to_owned(), format!("key:{key}"), "x".repeat(key % 300)]));
        keys.iter().for_each(|_| assert!(!client.read().is_error()));
    }
    let mut child =
        task("import", &redis.url(), &database, &[]).stdout(Stdio::null()).spawn().expect("respg");
    let begun = Instant::now();
    let copied = blocking(async {
        let postgres = connect(&database).await;
        loop {
            let rows = postgres.query("SELECT summary FROM respg.imports", &[]).await.unwrap_or_default();
            let copied = rows.first().map_or(0, |row| {
                let summary: serde_json::Value = serde_json::from_str(row.get(0)).expect("JSON");
                summary["copied"].as_u64().expect("a number")
            });
            if copied > 2000 {
                return copied;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not get on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let (code, said) = run("import", &redis.url(), &database, &[]);
    assert_eq!(code, 0, "{said}");
    let before = said
        .lines()
        .find_map(|line| line.strip_prefix("going on after ")?.split(' ').next()?.parse::<u64>().ok())
        .unwrap_or_else(|| panic!("{said}"));
    assert!((copied..KEYS as u64).contains(&before), "{copied} {said}");
    assert!(said.contains(&format!("imported {KEYS} keys")), "{said}");
    let (code, report) = verify(&redis.url(), &database, &[]);
    assert_eq!((code, report["keys"].as_u64()), (0, Some(KEYS as u64)), "{report:#}");
    // Nothing is left of it: the next one is a new one.
    let (_, said) = run("import", &redis.url(), &database, &[]);
    assert!(!said.contains("going on"), "{said}");
}

/// An import that ends behind database 0: the Redis has no database 20.
fn break_off(url: &str, database: &str, options: &[&str]) {
    let options = [&["--db", "0", "--db", "20", "--databases", "21"], options].concat();
    let (code, said) = run("import", url, database, &options);
    assert_eq!((code, said.contains("out of range")), (1, true), "{said}");
}

/// What was done of other keys is not taken for what is to be done.
#[test]
fn other_keys_are_another_import() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    super::all(&mut redis.connect(), &["MSET a:1 1 a:2 1 b:1 1"]);
    break_off(&redis.url(), &database, &["--match", "a:*"]);
    let (code, said) = run("import", &redis.url(), &database, &["--match", "b:*"]);
    assert!((code, said.contains("imported 1 keys")) == (0, true), "{said}");
    let (code, said) = run("import", &redis.url(), &database, &[]);
    assert!((code, said.contains("imported 3 keys")) == (0, true), "{said}");
    // It is still there for who asks for the same.
    let (code, said) = run("import", &redis.url(), &database, &["--match", "a:*"]);
    assert!((code, said.contains("going on after 2 keys")) == (0, true), "{said}");
}

/// Who may not ask for INFO does not hear that the Redis was started anew, where cursors mean something else.
#[test]
fn a_redis_that_does_not_say_who_it_is() {
    let (scratch, database) = (Scratch::new(), blocking(fresh_database()));
    let socket = scratch.path().join("redis.sock").display().to_string();
    let url = format!("unix://app:pass@{socket}?db=0");
    for key in ["earlier", "later"] {
        let redis = Redis::of("redis-server", &["--unixsocket", &socket]);
        let user = "ACL SETUSER app on >pass ~* +@all -info";
        super::all(&mut redis.connect(), &[user, &format!("SET {key} 1")]);
        if key == "earlier" {
            break_off(&url, &database, &[]);
        } else {
            let (code, said) = run("import", &url, &database, &["--db", "0"]);
            assert!((code, said.contains("imported 1 keys")) == (0, true), "{said}");
            let (_, report) = verify(&url, &database, &["--db", "0", "--match", "later"]);
            assert_eq!((&report["keys"], &report["different"]), (&1.into(), &0.into()), "{report:#}");
        }
    }
}

/// Nobody reads what it says.
#[test]
fn a_reader_that_has_gone() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    super::all(&mut redis.connect(), &["SET a 1", "HSET h f v"]);
    for (name, options, expected) in
        [("import", &[][..], 2), ("verify", &[], 2), ("verify", &["--json"], 2), ("export", &[], 0)]
    {
        let mut child = task(name, &redis.url(), &database, options);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("respg");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(expected), ""), "{name}");
    }
}
