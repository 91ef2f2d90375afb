//! A Redis that has more logical databases than respg.

use std::process::Command;

use rustix::process::Signal;

use super::Shadow;
use super::keys::change;
use super::modes::until_remembered;
use crate::support::client::{Value, error, ok};
use crate::support::redis::{PROGRAMS, Redis};

fn with_more() -> Redis {
    Redis::of(PROGRAMS[0], &["--databases", "32"])
}

/// A task's exit code, and what it says when it fails.
fn task(shadow: &Shadow, name: &str, options: &[&str]) -> (Option<i32>, String) {
    let mut task = Command::new(env!("CARGO_BIN_EXE_respg"));
    task.args([name, &shadow.redis.url()]).args(options).env("RESPG_DATABASE_URL", &shadow.database);
    let output = task.output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const OURS: &[&str] = &["--db", "0", "--db", "2", "--db", "3"];

/// What is done there is not followed, and all else is; the keys there are not lost without a word.
#[test]
fn all_others_are_followed() {
    let shadow = Shadow::start(with_more(), &[]);
    shadow.settle();
    for calls in [
        "SET k here;SELECT 20;SET k there;MOVE k 21;SET k again;MULTI;APPEND k 1;SELECT 2;SET k two;EXEC",
        "SET m 1;MOVE m 20;SET c 1;COPY c c DB 21;SELECT 20;MOVE m 3;SET b back;MOVE b 0;SET d 1",
        "SET n 1;SELECT 20;INCR n;GET n;BLPOP l 0.01;RPUSH l x;SELECT 0;INCR n",
    ] {
        shadow.call(calls);
    }
    shadow.settle();
    let lost = "the upstream has keys in databases that respg does not have and that would be lost (20, 21; --databases 22)";
    let refused = error(&format!("ERR {lost}; nothing was changed"));
    for to in ["reverse", "postgres", "reverse KEYS k*"] {
        assert_eq!(shadow.call(&format!("RESPG.MODE SET {to}"))[0], refused, "{to}");
    }
    for name in ["verify", "import"] {
        let (code, why) = task(&shadow, name, &[]);
        assert!(code == Some(1) && why.contains("no database 21: give --databases 22"), "{code:?} {why}");
        assert_eq!(task(&shadow, name, OURS).0, Some(0));
    }
    let mut client = shadow.respg.connect();
    client.select(20);
    // Its keys of these names are left where they are.
    change(&mut client, "RESPG.MODE SET reverse KEYS [bm]");
    let out = error("ERR DB index is out of range");
    assert_eq!((client.plain("GET k"), client.plain("SET b x")), (Value::from("again1"), out.clone()));
    client.send(["MULTI", "SET n 7"]);
    assert_eq!([client.read(), client.read()], [ok(), Value::Status("QUEUED".into())]);
    change(&mut shadow.respg.connect(), "RESPG.MODE SET reverse FORCE");
    assert_eq!(client.plain("EXEC"), Value::Array(vec![out.clone()]));
    for call in ["GET k", "SET k x", "DBSIZE", "XREAD BLOCK 1 STREAMS s 0", "WATCH k"] {
        assert_eq!(client.plain(call), out, "{call}");
    }
    client.select(0);
    assert_eq!((client.plain("GET k"), client.plain("GET b")), (Value::from("here"), Value::from("back")));
    assert_eq!(task(&shadow, "verify", OURS).0, Some(0));
}

/// Keys that were there before are found, and followed once respg has a place for them.
#[test]
fn databases_are_added() {
    let redis = with_more();
    let mut direct = redis.connect();
    direct.select(20);
    direct.plain("SET k there");
    let mut shadow = Shadow::start(redis, &[]);
    shadow.settle();
    let refused = shadow.call("RESPG.MODE SET reverse").remove(0).to_string_lossy();
    assert!(refused.contains("(20; --databases 21)"), "{refused}");
    until_remembered(&shadow, 1);
    shadow.options.extend(["--databases", "21"].map(str::to_owned));
    shadow.respg.signal(Signal::TERM);
    shadow.restart();
    shadow.settle();
    change(&mut shadow.respg.connect(), "RESPG.MODE SET reverse");
    assert_eq!(shadow.call("SELECT 20;GET k")[1], Value::from("there"));
}

/// Whole databases, some of which are not ours: what is left in ours is what it should be.
#[test]
fn databases_are_exchanged_and_emptied() {
    let shadow = Shadow::start(with_more(), &[]);
    shadow.settle();
    for (calls, left) in [
        ("SET a 1;SET b 2;SELECT 20;SET k 20;SWAPDB 20 0", "k"),
        ("SET l 0;SELECT 20;SWAPDB 0 21;SET k 20", ""),
        ("SET l 0;SELECT 20;FLUSHDB", "l"),
        ("SELECT 20;SWAPDB 0 1", ""),
        ("SET l 0;SELECT 20;FLUSHALL", ""),
    ] {
        shadow.call(calls);
        shadow.settle();
        assert_eq!(
            shadow.call("RANDOMKEY")[0],
            if left.is_empty() { Value::Null } else { Value::from(left) }
        );
        let (code, why) = task(&shadow, "verify", &["--db", "0", "--db", "1"]);
        assert_eq!(code, Some(0), "{calls} {why}");
    }
}
