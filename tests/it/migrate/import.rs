use serde_json::json;

use super::{fill, run, verify};
use crate::support::pg::fresh_database;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking};

/// Everything arrives from every kind of Redis, and comes back the same.
#[test]
fn there_and_back() {
    for program in PROGRAMS {
        let (redis, database) = (Redis::of(program, &[]), blocking(fresh_database()));
        let mut client = redis.connect();
        fill(&mut client);
        let (code, said) = run("import", &redis.url(), &database, &[]);
        assert_eq!(code, 0, "{program}: {said}");
        let respg = Respg::on(&database, &[]);
        let mut ours = respg.connect();
        // Seen by others than the comparer.
        for call in [
            "XRANGE stream - +",
            "XINFO GROUPS stream",
            "XRANGE long - + COUNT 3",
            "GETRANGE large 0 10",
            "PEXPIRETIME soon",
            "EXISTS emptied made-empty trimmed bare",
        ] {
            assert_eq!(client.plain(call), ours.plain(call), "{program}: {call}");
        }
        let (code, found) = verify(&redis.url(), &database, &[]);
        assert_eq!((code, &found["different"], &found["groups"]), (0, &json!(0), &json!([])), "{found:#}");
        assert!(found["keys"].as_u64() >= Some(15), "{found:#}");

        let back = Redis::of(program, &[]);
        let (code, said) = run("export", &back.url(), &database, &[]);
        assert_eq!(code, 0, "{program}: {said}");
        let (code, found) = verify(&back.url(), &database, &[]);
        assert_eq!((code, &found["groups"]), (0, &json!([])), "{found:#}");
        for call in ["XRANGE stream - +", "XINFO GROUPS stream", "XINFO STREAM ahead"] {
            assert_eq!(back.connect().plain(call), client.plain(call), "{program}: {call}");
        }
    }
}

#[test]
fn what_we_do_not_have_is_listed() {
    for program in PROGRAMS {
        let (redis, database) = (Redis::of(program, &[]), blocking(fresh_database()));
        let mut client = redis.connect();
        super::all(
            &mut client,
            &[
                "SET a 1",
                "HSET user:1 n 1",
                "HSET user:2 n 1",
                "RPUSH jobs 1",
                "SADD tags 1",
                "ZADD board 1 x",
            ],
        );
        let (code, said) = run("import", &redis.url(), &database, &[]);
        assert_eq!(code, 2, "{said}");
        for line in [
            "imported 1 keys",
            "2 of type hash\n         2  user:*",
            "1 of type list",
            "1 of type set",
            "1 of type zset",
        ] {
            assert!(said.contains(line), "{line} is not in {said}");
        }
        let (code, found) = verify(&redis.url(), &database, &[]);
        let lacking = json!({"hash": 2, "list": 1, "set": 1, "zset": 1});
        assert_eq!((code, &found["unsupported"], &found["different"]), (2, &lacking, &json!(0)));
    }
}

/// A key that may not be read takes none of those with it that are read together with it.
#[test]
fn a_refused_key_is_alone() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut client = redis.connect();
    super::all(&mut client, &["SET a 1", "SET secret:1 1", "SET z 1"]);
    super::all(&mut client, &["ACL SETUSER some on >p +@all ~a ~z %W~secret:*"]);
    let url = redis.url().replace("redis://", "redis://some:p@");
    let (code, said) = run("import", &url, &database, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.starts_with("imported 2 keys"), "{said}");
    assert!(said.contains("not copied, failed: 1\n  secret:1: NOPERM"), "{said}");
    let (code, found) = verify(&url, &database, &[]);
    let counts = ["keys", "unreadable"].map(|name| found[name].as_u64());
    assert_eq!((code, counts), (2, [Some(2), Some(1)]), "{found:#}");
    assert!(found["reasons"][0].as_str().is_some_and(|why| why.starts_with("secret:1: NOPERM")), "{found:#}");
}

/// It says no differences only if it has found none.
#[test]
fn the_verdict_is_about_what_was_found() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut client = redis.connect();
    super::all(&mut client, &["SET a 1", "ACL SETUSER blind on >p +@all -multi ~*"]);
    let url = redis.url();
    let blind = url.replace("redis://", "redis://blind:p@");
    let (code, said) = run("verify", &blind, &database, &[]);
    assert!((code, said.starts_with("nothing could be compared\n")) == (2, true), "{said}");
    let (code, said) = run("verify", &url, &database, &["--repair", "--settle", "100"]);
    let verdict = "all differences were repaired: 1 of 1 keys compared in ";
    assert!((code, said.starts_with(verdict)) == (0, true), "{said}");
    super::all(&mut client, &["SET b 1"]);
    let (_, found) = verify(&url, &database, &["--repair"]);
    assert_eq!((&found["repaired"], &found["bound_95"]), (&json!(1), &json!(null)), "{found:#}");
    let (code, said) = run("import", &url, &database, &["--db", "99"]);
    assert!((code, said.contains("respg has no database 99: give --databases 100")) == (1, true), "{said}");
}

#[test]
fn passwords_databases_and_patterns() {
    let redis = Redis::of(PROGRAMS[0], &["--requirepass", "p@ss", "--databases", "40"]);
    let database = blocking(fresh_database());
    let url = redis.url();
    let authority = url.strip_prefix("redis://").unwrap();
    let url = format!("redis://:p%40ss@{authority}");
    let mut client = redis.connect();
    super::all(&mut client, &["AUTH p@ss", "SET a:1 1", "SET b:1 1", "SELECT 3", "SET a:3 1"]);
    let (code, said) = run("import", &format!("redis://{authority}"), &database, &[]);
    assert_eq!((code, said.contains("NOAUTH")), (1, true), "{said}");
    let (code, said) = run("import", &format!("{url}/3"), &database, &[]);
    assert!((code, said.contains("imported 1 keys")) == (0, true), "{said}");
    let (code, said) = run("import", &url, &database, &["--match", "a:*", "--db", "0"]);
    assert!((code, said.contains("imported 1 keys")) == (0, true), "{said}");
    let bare = std::process::Command::new(env!("CARGO_BIN_EXE_respg"))
        .args(["import", "--match", "a:1"])
        .envs([("RESPG_DATABASE_URL", database.as_str()), ("RESPG_UPSTREAM", url.as_str())])
        .output()
        .expect("respg");
    assert!(bare.stdout.starts_with(b"imported 1 keys"), "{bare:?}");
    super::all(&mut client, &["SELECT 30", "SET far 1"]);
    let (code, said) = run("import", &url, &database, &[]);
    assert_eq!((code, said.contains("give --databases 31")), (1, true), "{said}");
    let (code, said) = run("import", &url, &database, &["--databases", "31"]);
    assert!((code, said.contains("imported 4 keys")) == (0, true), "{said}");
    let (code, said) = run("verify", &url, &database, &["--databases", "31"]);
    assert!((code, said.contains("no differences: 4 keys compared in 1 rounds")) == (0, true), "{said}");
}
