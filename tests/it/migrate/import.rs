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
