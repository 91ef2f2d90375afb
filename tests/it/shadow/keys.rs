//! Keys that are moved by pattern: each request goes to the side that answers for its keys.

use std::time::Instant;

use rustix::process::Signal;

use super::change_mode;
use super::pair::{PATIENCE, Pair, number, pause, settle};
use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::pg;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking};

const BOTH: &str = "CROSSSIDE Keys are answered for by Postgres and by the upstream, together they cannot be used (RESPG.MODE KEYS)";
const ABORTED: &str = "EXECABORT Transaction discarded because of previous errors.";

/// Asks until it is done: processes may be late, or still behind.
pub fn change(admin: &mut Client, call: &str) {
    let begun = Instant::now();
    loop {
        match admin.plain(call) {
            reply if reply == ok() => return,
            refused => assert!(begun.elapsed() < PATIENCE, "{call}: {refused:?}"),
        }
        pause(0.1);
    }
}

/// A pair in which Postgres answers for `m:*`.
fn moved() -> (Pair, Redis, Respg) {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    change(&mut respg.connect(), "RESPG.MODE SET reverse KEYS m:*");
    (pair, redis, respg)
}

fn text(text: &str) -> Value {
    Value::Bulk(text.to_owned().into())
}

/// The replies of calls that are sent together, divided by `;`.
fn calls(client: &mut Client, lines: &str) -> Vec<Value> {
    client.send(lines.split(';'));
    lines.split(';').map(|_| client.read()).collect()
}

#[test]
fn who_answers() {
    let (pair, redis, respg) = moved();
    let (mut client, mut direct) = (respg.connect(), redis.connect());
    assert_eq!(
        calls(&mut client, "SET m:k here;SET u:k there;MGET m:k m:nothing"),
        [ok(), ok(), Value::Array(vec![text("here"), Value::Null])]
    );
    settle(&respg);
    // Behind everybody's back.
    assert_eq!(calls(&mut direct, "SET m:k x;SET u:k x"), [ok(), ok()]);
    let replies = calls(&mut client, "GET u:k;GET m:k;GET m:k;GET u:k;STRLEN m:k;APPEND u:k y");
    let expected = [text("x"), text("here"), text("here"), text("x"), Value::Integer(4), Value::Integer(2)];
    assert_eq!(replies, expected);
    assert_eq!(client.plain("SET m:k again"), ok());
    for call in ["MSET m:k 1 u:k 1", "RENAME m:k u:k", "COPY u:k m:k", "BITOP OR m:b m:k u:k", "DEL u:k m:k"]
    {
        assert_eq!(client.plain(call), error(BOTH), "{call}");
    }
    // What is about all keys is the upstream's, which has them all.
    settle(&respg);
    assert_eq!(client.plain("DBSIZE"), Value::Integer(2));
    assert_eq!(client.plain("KEYS m:*"), Value::Array(vec![text("m:k")]));
    assert_eq!(client.plain("PUBLISH m:channel x"), Value::Integer(0));
    for call in ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"] {
        assert!(client.plain(call).to_string_lossy().starts_with("ERR databases are not emptied"), "{call}");
    }
    // No reply, and nothing done.
    client.send(["CLIENT REPLY SKIP", "DEL u:k m:k", "EXISTS u:k"]);
    assert_eq!(client.read(), Value::Integer(1));
    pair.assert_equal([&respg]);
}

/// Postgres cannot answer for a hash: the Redis's would seem to be gone, and be replaced by whatever is written to its name.
#[test]
fn keys_of_types_that_respg_does_not_have() {
    let (_pair, redis, respg) = moved();
    let (mut client, mut direct) = (respg.connect(), redis.connect());
    assert_eq!(calls(&mut client, "SELECT 3;HSET h:1 f v;SET a:1 v")[1..], [Value::Integer(1), ok()]);
    settle(&respg);
    let why = "ERR the upstream has keys of types that respg does not have and that would be lost (hash; RESPG.SHADOW REPORT); nothing was changed";
    for patterns in ["h:*", "a:* [h]*", "*"] {
        assert_eq!(client.plain(format!("RESPG.MODE SET reverse KEYS {patterns}").as_str()), error(why));
    }
    // Other keys are moved all the same, and these if it is wished.
    change(&mut client, "RESPG.MODE SET reverse KEYS a:* h:2");
    change(&mut client, "RESPG.MODE SET reverse KEYS h:* FORCE");
    assert_eq!(calls(&mut client, "EXISTS h:1;GET a:1"), [Value::Integer(0), text("v")]);
    direct.select(3);
    assert_eq!(direct.plain("TYPE h:1"), Value::Status("hash".into()));
}

/// Commands that respg does not have: of such keys it says so itself, wherever the keys stand.
#[test]
fn commands_of_the_upstream_alone() {
    let (pair, redis, respg) = moved();
    let mut client = respg.connect();
    for call in [
        "HSET u:h f v",
        "EVAL return(redis.call('set',KEYS[1],1)) 1 u:e m:argument",
        "EVAL return(1) 0 m:argument",
        "LPUSH u:list m:element",
        "LMPOP 1 u:list LEFT",
        "ACL CAT m:k",
        "SORT u:list BY m:*",
    ] {
        let reply = client.plain(call).to_string_lossy();
        assert!(!reply.contains("unknown command") && !reply.starts_with("CROSSSIDE"), "{call}: {reply}");
    }
    for call in [
        "HSET m:h f v",
        "EVAL return(1) 1 m:e",
        "LPUSH m:list x",
        "LMPOP 2 m:list m:other LEFT",
        "NOSUCH m:k",
    ] {
        let reply = client.plain(call).to_string_lossy();
        assert!(reply.starts_with("ERR unknown command"), "{call}: {reply}");
    }
    for call in ["RPOPLPUSH u:list m:list", "EVAL return(1) 2 m:e u:e", "SINTER u:s m:s"] {
        assert_eq!(client.plain(call), error(BOTH), "{call}");
    }
    assert!(client.plain("SET m:k").to_string_lossy().contains("wrong number of arguments"));
    assert!(client.plain("OBJECT NOSUCH m:k").is_error());
    let replies = calls(&mut client, "MULTI;HSET u:h g v;SET m:k 1;SET u:k 1;EXEC;EXISTS u:k m:none");
    assert_eq!((&replies[2], &replies[4]), (&error(BOTH), &error(ABORTED)));
    let replies = calls(&mut client, "MULTI;SET m:k 1;HSET u:h g v;EXEC;EXISTS u:k;EXISTS m:k");
    assert_eq!((&replies[2], &replies[3]), (&error(BOTH), &error(ABORTED)));
    assert_eq!(replies[4..], [Value::Integer(0), Value::Integer(0)]);
    let replies = calls(&mut client, "MULTI;SET m:k 1;HSET m:h g v;EXEC;MULTI;HSET u:h g v;INCR u:n;EXEC");
    assert!(replies[2].to_string_lossy().starts_with("ERR unknown command"), "{replies:?}");
    assert_eq!(replies[3], error(ABORTED));
    assert_eq!(replies[7], Value::Array(vec![Value::Integer(1), Value::Integer(1)]));
    assert_eq!(redis.connect().plain("EXISTS m:h m:list m:e m:k"), Value::Integer(0));
    drop(pair);
}

#[test]
fn transactions() {
    let (pair, redis, respg) = moved();
    let other = pair.respg(1, &[]);
    let (mut client, mut second) = (respg.connect(), other.connect());
    let replies = calls(&mut client, "MULTI;INCR m:n;SELECT 2;SET m:two 2;PING;EXEC;GET m:two;SELECT 0");
    let done = vec![Value::Integer(1), ok(), ok(), Value::Status("PONG".into())];
    assert_eq!(replies[5..], [Value::Array(done), text("2"), ok()]);
    let replies = calls(&mut client, "MULTI;INCR u:n;INCR u:n;EXEC;MULTI;PING;EXEC;MULTI;EXEC");
    assert_eq!(replies[3], Value::Array(vec![Value::Integer(1), Value::Integer(2)]));
    assert_eq!(
        (&replies[6], &replies[8]),
        (&Value::Array(vec![Value::Status("PONG".into())]), &Value::Array(vec![]))
    );
    for (mixed, at) in [
        ("MULTI;INCR m:n;INCR u:n;INCR m:n;EXEC", 2),
        ("MULTI;INCR u:n;INCR m:n;INCR u:n;EXEC", 2),
        ("MULTI;MSET m:n 9 u:n 9;INCR u:n;EXEC;PING", 1),
        ("MULTI;INCR m:n;PUBLISH channel x;PING;EXEC", 2),
        ("MULTI;INCR m:n;SUBSCRIBE channel;PING;EXEC", 2),
    ] {
        let replies = calls(&mut client, mixed);
        assert_eq!(replies[at], error(BOTH), "{mixed}: {replies:?}");
        assert!(replies.contains(&error(ABORTED)), "{mixed}: {replies:?}");
    }
    let replies = calls(&mut client, "MULTI;SET m:n 9;FLUSHALL;EXEC;MULTI;SET u:n 9;DISCARD;GET m:n;GET u:n");
    assert!(replies[2].to_string_lossy().starts_with("ERR databases are not emptied"), "{replies:?}");
    assert_eq!(replies[3], error(ABORTED));
    assert_eq!(replies[7..], [text("1"), text("2")]);

    // WATCH of both kinds, undisturbed and disturbed by a client of another process.
    for key in ["m:n", "u:n"] {
        for conflict in [false, true] {
            assert_eq!(client.plain(["WATCH", key]), ok());
            assert_eq!(calls(&mut client, "GET m:n;GET u:n").len(), 2);
            if conflict {
                second.plain(["SET", key, "5"]);
            }
            let replies = calls(&mut client, &format!("MULTI;INCR {key};EXEC;GET {key}"));
            assert_eq!(replies[2] == Value::Null, conflict, "{key}: {replies:?}");
        }
    }
    assert_eq!(client.plain("WATCH m:n u:n"), error(BOTH));
    for lines in ["WATCH u:n;WATCH m:n", "WATCH m:n;WATCH u:n"] {
        assert_eq!(calls(&mut client, lines), [ok(), error(BOTH)], "{lines}");
        assert_eq!(client.plain("UNWATCH"), ok());
    }
    for lines in ["WATCH m:n;MULTI;INCR u:n;EXEC", "WATCH u:n;MULTI;INCR m:n;EXEC"] {
        assert_eq!(calls(&mut client, lines)[2..], [error(BOTH), error(ABORTED)], "{lines}");
    }
    // Nothing is left of it.
    for (watched, other) in [("m:n", "u:n"), ("u:n", "m:n")] {
        for end in ["UNWATCH", "MULTI;DISCARD"] {
            calls(&mut client, &format!("WATCH {watched};{end}"));
            second.plain(["SET", watched, "7"]);
            let replies = calls(&mut client, &format!("MULTI;GET {other};EXEC;MULTI;GET {watched};EXEC"));
            assert_eq!(replies[5], Value::Array(vec![text("7")]), "{watched} {end}: {replies:?}");
            assert_ne!(replies[2], Value::Null);
        }
    }
    pair.assert_equal([&respg, &other]);
    assert_eq!(redis.connect().plain("GET m:n"), text("7"));
}

/// Who has a connection of its own to the upstream keeps it, and all replies come in order: seen to fail when they are not waited for (`quiet`).
#[test]
fn subscribers_and_those_who_wait() {
    let (pair, _redis, respg) = moved();
    let (mut client, mut other) = (Client::connect(respg.address(), Protocol::Resp3), respg.connect());
    let replies = calls(&mut client, "SUBSCRIBE news;GET m:nothing;SET m:a 1;SET u:a 2;GET m:a;GET u:a");
    let kind = |value: &Value| format!("{value:?}");
    assert!(kind(&replies[0]).contains("subscribe"), "{replies:?}");
    assert_eq!(replies[1..], [Value::Null, ok(), ok(), text("1"), text("2")]);
    assert_eq!(other.plain("PUBLISH news hello"), Value::Integer(1));
    assert!(kind(&client.read()).contains("hello"));
    let replies = calls(
        &mut client,
        "MULTI;INCR m:n;EXEC;MULTI;INCR u:n;EXEC;SELECT 1;SET m:b 1;MULTI;SELECT 2;INCR m:n;EXEC;SET u:c 1;SELECT 0",
    );
    let one = || Value::Array(vec![Value::Integer(1)]);
    assert_eq!((&replies[2], &replies[5], &replies[7]), (&one(), &one(), &ok()), "{replies:?}");
    other.select(1);
    assert_eq!(other.plain("GET m:b"), text("1"));
    other.select(2);
    assert_eq!(calls(&mut other, "GET m:n;GET u:c"), [text("1"), text("1")]);
    other.select(0);
    assert_eq!(calls(&mut client, "MULTI;INCR m:n;INCR u:n;EXEC")[2..], [error(BOTH), error(ABORTED)]);
    assert_eq!(other.plain("PUBLISH news again"), Value::Integer(1));
    assert!(kind(&client.read()).contains("again"));
    // The same user, who says which protocol he speaks.
    let replies = calls(&mut client, "HELLO 3;GET m:a;GET m:nothing;GET u:a");
    assert_eq!(replies[1..], [text("1"), Value::Null, text("2")]);

    let mut old = respg.connect();
    let replies = calls(&mut old, "SUBSCRIBE news;GET m:a;UNSUBSCRIBE news;GET m:a;GET u:a");
    assert!(replies[1].to_string_lossy().contains("Can't execute 'get'"), "{replies:?}");
    assert_eq!(replies[3..], [text("1"), text("2")]);

    // Blocking commands of both kinds, and what is sent behind them.
    for (stream, behind, its) in [("m:s", "u:a", "2"), ("u:s", "m:a", "1")] {
        let mut waiting = respg.connect();
        waiting.send([format!("XREAD BLOCK 0 STREAMS {stream} $").as_str(), &format!("GET {behind}")]);
        let begun = Instant::now();
        while !other.plain("CLIENT LIST").to_string_lossy().contains("flags=b") {
            assert!(begun.elapsed() < PATIENCE);
        }
        pause(0.1);
        other.plain(format!("XADD {stream} 1-1 f v").as_str());
        assert!(kind(&waiting.read()).contains("1-1"), "{stream}");
        assert_eq!(waiting.read(), text(its));
    }
    assert_eq!(other.plain("XREAD BLOCK 1 STREAMS m:s u:s $ $"), error(BOTH));

    // What was queued here when the patterns end.
    assert_eq!(calls(&mut client, "MULTI;INCR u:n")[1], Value::Status("QUEUED".into()));
    change(&mut other, "RESPG.MODE SET shadow KEYS m:*");
    let both = Value::Array(vec![Value::Integer(2), Value::Integer(2)]);
    assert_eq!(calls(&mut client, "INCR m:n;EXEC")[1], both);
    assert_eq!(other.plain("PUBLISH news still"), Value::Integer(1));
    assert!(kind(&client.read()).contains("still"));
    pair.assert_equal([&respg]);
}

/// One whom respg does not know gets at no moved key by the back door.
#[test]
fn users_of_the_upstream() {
    let (_pair, redis, respg) = moved();
    redis.connect().plain("ACL SETUSER other on >secret ~u:* +@all");
    let mut client = respg.connect();
    assert_eq!(calls(&mut client, "AUTH other secret;SET u:k 1;GET u:k"), [ok(), ok(), text("1")]);
    for lines in ["SET m:k 1", "GET m:k", "SET m:k 1;GET u:k", "MULTI;GET m:k;EXEC"] {
        let replies = calls(&mut client, lines);
        assert!(
            replies.iter().any(|reply| reply.to_string_lossy().starts_with("NOPERM Postgres")),
            "{replies:?}"
        );
    }
    assert_eq!(calls(&mut client, "MULTI;GET u:k;EXEC")[2], Value::Array(vec![text("1")]));
    assert_eq!(respg.connect().plain("EXISTS m:k"), Value::Integer(0));
}

/// What RESPG.MODE says of it.
#[test]
fn patterns_are_asked_for() {
    let (pair, redis, respg) = moved();
    let mut admin = respg.connect();
    let keys = |admin: &mut Client| format!("{:?}", admin.plain("RESPG.MODE KEYS"));
    assert_eq!(admin.plain("RESPG.MODE GET"), text("shadow"));
    change(&mut admin, "RESPG.MODE SET reverse KEYS a,b>c:%20 m:*");
    assert_eq!(admin.plain("RESPG.MODE KEYS"), Value::Array(vec![text("a,b>c:%20"), text("m:*")]));
    assert_eq!(number(&mut admin, "moved_patterns"), 2);
    for (call, why) in [
        ("RESPG.MODE SET shadow KEYS nosuch", "ERR no keys are moved by the pattern 'nosuch'"),
        ("RESPG.MODE SET redis KEYS m:*", "ERR keys are moved by pattern to reverse, and back to shadow"),
        ("RESPG.MODE SET reverse KEYS", "ERR syntax error"),
        ("RESPG.MODE SET reverse KEYS force", "ERR syntax error"),
    ] {
        let said = admin.plain(call).to_string_lossy();
        assert!(said.starts_with(why), "{call}: {said}");
    }
    let long = "x".repeat(257);
    assert!(
        admin.plain(["RESPG.MODE", "SET", "reverse", "KEYS", &long]).to_string_lossy().contains("too long")
    );
    change(&mut admin, "RESPG.MODE SET shadow KEYS m:*");
    assert!(!keys(&mut admin).contains("m:*"));
    // One that comes later, and one that is told the mode.
    let other = pair.respg(1, &["--mode", "shadow"]);
    assert_eq!(other.connect().plain("RESPG.MODE KEYS"), Value::Array(vec![text("a,b>c:%20")]));
    change(&mut admin, "RESPG.MODE SET reverse KEYS m:* FORCE");
    drop((respg, other));
    let begun = Instant::now();
    // Until they are known to be gone.
    while !pair.refusal(&["--mode", "redis"]).contains("it was shadow with keys moved by pattern") {
        assert!(begun.elapsed() < PATIENCE);
    }
    let respg = pair.respg(0, &["--mode", "shadow"]);
    let mut admin = respg.connect();
    assert!(keys(&mut admin).contains("m:*"));
    assert_eq!(calls(&mut admin, "SET m:k here;SET u:k 1"), [ok(), ok()]);
    settle(&respg);
    redis.connect().plain("SET m:k x");
    assert_eq!(admin.plain("GET m:k"), text("here"));
    assert_eq!(admin.plain("SET m:k here"), ok());
    // Everything ends all patterns.
    change_mode(&mut admin, "reverse");
    assert_eq!(admin.plain("RESPG.MODE KEYS"), Value::Array(vec![]));
    let said = admin.plain("RESPG.MODE SET reverse KEYS m:*").to_string_lossy();
    assert!(said.contains("in mode shadow only, and the mode is reverse"), "{said}");
    assert_eq!(calls(&mut admin, "GET m:k;GET u:k;DEL u:k"), [text("here"), text("1"), Value::Integer(1)]);
    change_mode(&mut admin, "shadow");
    change(&mut admin, "RESPG.MODE SET reverse KEYS *");
    change_mode(&mut admin, "redis");
    assert_eq!(calls(&mut admin, "GET m:k;GET u:k"), [text("here"), Value::Null]);
}

/// What is not a client's doing goes by the patterns, too: SQL, `import` and `verify --repair`.
#[test]
fn everybody_goes_by_the_patterns() {
    let (pair, redis, mut respg) = moved();
    let (mut client, mut direct) = (respg.connect(), redis.connect());
    assert_eq!(calls(&mut client, "SET m:k 1;SET u:k 1;XADD m:s 1-1 f v"), [ok(), ok(), text("1-1")]);
    settle(&respg);
    let database = pair.database.clone();
    blocking(async move {
        let sql = "SELECT respg.set('u:sql', 'v'); SELECT respg.set('m:sql', 'v');";
        pg::connect(&database).await.batch_execute(sql).await.expect("SQL");
    });
    let begun = Instant::now();
    while direct.plain("GET m:sql") != text("v") {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(direct.plain("EXISTS u:sql"), Value::Integer(0));
    assert_eq!(pair.different(), 1);
    // Each is made what the side has that answers for it.
    assert_eq!(calls(&mut direct, "SET m:k x;SET m:new x;SET u:k x;SET u:new x;DEL m:s").len(), 5);
    pair.task("verify", &["--repair", "--settle", "300"]);
    pair.assert_equal([&respg]);
    assert_eq!(
        calls(&mut direct, "GET m:k;EXISTS m:new;GET u:k;EXISTS u:sql;EXISTS m:s")[..],
        [text("1"), Value::Integer(0), text("x"), Value::Integer(0), Value::Integer(1)]
    );
    assert_eq!(client.plain("GET u:new"), text("x"));
    for running in [true, false] {
        direct.plain("SET m:k imported");
        direct.plain("SET u:k imported");
        if !running {
            respg.signal(Signal::TERM);
            respg.wait();
        }
        let import = pair.task("import", &["--restart"]);
        let said = String::from_utf8_lossy(&import.stdout).into_owned();
        assert!(said.contains("left alone, Postgres answers for them (RESPG.MODE KEYS): 3"), "{said}");
    }
    let respg = pair.respg(0, &[]);
    assert_eq!(calls(&mut respg.connect(), "GET m:k;GET u:k"), [text("1"), text("imported")]);
    pair.task("verify", &["--repair", "--settle", "300"]);
    pair.assert_equal([&respg]);
    assert_eq!(direct.plain("GET m:k"), text("1"));
}
