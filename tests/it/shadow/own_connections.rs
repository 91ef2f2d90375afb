//! Clients whose requests go to the upstream on connections of their own.

use std::thread::sleep;
use std::time::Duration;

use super::{Shadow, change_mode, until, with_late_blpop};
use crate::support::client::{Client, Protocol, Value};
use crate::support::redis::Redis;

/// What comes back up to the reply to `PING end`, which is the last call.
fn replies(client: &mut Client, lines: &str) -> Vec<Value> {
    client.send(lines.split(';'));
    let mut replies = Vec::new();
    while replies.last() != Some(&Value::from("end")) {
        replies.push(client.read());
    }
    replies
}

const CHOOSING: &[&str] = &[
    "CLIENT REPLY OFF;SET k 1;GET k;SELECT 3;CLIENT REPLY ON;GET k;SELECT 0;MULTI;INCR k;EXEC;PING end",
    "CLIENT REPLY SKIP;SET k 1;GET k;CLIENT REPLY SKIP;UNWATCH;GET k;PING end",
    "CLIENT REPLY NOSUCH;CLIENT REPLY;CLIENT REPLY OFF;CLIENT REPLY NOSUCH;CLIENT REPLY ON;PING end",
    "CLIENT SETNAME a;CLIENT REPLY SKIP;CLIENT SETNAME b;UNWATCH;PING end",
];

/// The upstream's replies are counted, so it must not leave any out.
#[test]
fn replies_that_a_client_does_not_want() {
    let shadow = Shadow::start(Redis::start(), &[]);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for lines in CHOOSING {
            let all = |mut client: Client| {
                let said = replies(&mut client, &format!("FLUSHALL;WATCH k;{lines}"));
                (said, replies(&mut client, "CLIENT GETNAME;GET k;UNWATCH;PING end"), client)
            };
            let (said, later, own) = all(Client::connect(shadow.address(), protocol));
            let (expected, expected_later, _) = all(Client::connect(shadow.redis.address(), protocol));
            assert_eq!((said, later), (expected, expected_later), "{protocol:?} {lines}");
            // It waits for all that is to be answered.
            shadow.change_mode("redis");
            shadow.change_mode("shadow");
            drop(own);
        }
    }
    shadow.call("SET k 1");
    shadow.assert_equal();
}

const DESCRIBING: &[&str] = &[
    "SUBSCRIBE c;CLIENT REPLY OFF;GET k;PING end",
    "SUBSCRIBE c;CLIENT REPLY SKIP;GET k;CLIENT SETNAME b;PING end",
    "SUBSCRIBE c;CLIENT REPLY ON;CLIENT SETINFO LIB-NAME x;CLIENT NO-EVICT ON;PING end",
    "SUBSCRIBE c;CLIENT REPLY SKIP;UNSUBSCRIBE c;GET k;CLIENT SETNAME b;CLIENT REPLY SKIP;GET k;PING end",
    "SUBSCRIBE c;CLIENT SETNAME b;RESET;CLIENT GETNAME;PING end",
    "MULTI;SUBSCRIBE c;CLIENT SETNAME b;EXEC;CLIENT SETNAME c;UNSUBSCRIBE c;CLIENT GETNAME;PING end",
    "MULTI;CLIENT SETNAME b;EXEC;CLIENT GETNAME;PING end",
    "WATCH k;MULTI;CLIENT SETNAME b;EXEC;CLIENT GETNAME;PING end",
    "WATCH k;MULTI;CLIENT SETNAME b;DISCARD;CLIENT GETNAME;PING end",
    "WATCH k;SET k 1;MULTI;CLIENT SETNAME b;EXEC;CLIENT GETNAME;PING end",
    "MULTI;CLIENT SETNAME b;CLIENT SETNAME;EXEC;CLIENT GETNAME;PING end",
    "MULTI;CLIENT SETINFO LIB-NAME \n;CLIENT SETNAME b;EXEC;CLIENT GETNAME;PING end",
];

/// What the upstream refuses is not true of the client, and what it does in EXEC is.
#[test]
fn clients_that_describe_themselves_as_the_upstream_lets_them() {
    let shadow = Shadow::start(Redis::start(), &[]);
    let ends = |reply: &Value| {
        matches!(reply, Value::Bulk(end) if **end == *b"end")
            || matches!(reply, Value::Array(pong) if pong.contains(&"end".into()))
    };
    let all = |address, protocol, lines: &str| {
        let (mut client, mut said) = (Client::connect(address, protocol), Vec::new());
        client.send(lines.split(';'));
        while !said.last().is_some_and(ends) {
            said.push(client.read());
        }
        let mut slow = Client::connect(address, protocol);
        let one_by_one = lines.split(';').filter(|_| !lines.contains("SKIP") && !lines.contains("OFF"));
        said.extend(one_by_one.map(|line| slow.plain(line)));
        said
    };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        // Without replies there is no end, and the client understands no pushes within replies nor a change of the protocol.
        let unclear = ["OFF", "MULTI;SUBSCRIBE", "RESET"];
        let is_clear = |lines: &&&str| !unclear.iter().any(|unclear| lines.contains(unclear));
        for lines in DESCRIBING.iter().filter(|lines| protocol == Protocol::Resp2 || is_clear(lines)) {
            let said = all(shadow.address(), protocol, lines);
            assert_eq!(said, all(shadow.redis.address(), protocol, lines), "{protocol:?} {lines}");
        }
    }
    let listed = shadow.respg.connect().plain("CLIENT LIST").to_string_lossy();
    assert!(!listed.contains("name=c"), "{listed}");
}

/// A Redis that has them paused dies of CLIENT UNBLOCK (6.2 to 7.2).
#[test]
fn who_is_paused_is_not_unblocked() {
    for ends in ["CLIENT UNBLOCK", "RESPG.MODE"] {
        let shadow = Shadow::start(Redis::start(), &[]);
        let (mut reader, mut admin) = (shadow.respg.connect(), shadow.respg.connect());
        let id = reader.plain("CLIENT ID").integer();
        let mut redis = shadow.redis.connect();
        redis.plain("CLIENT PAUSE 2000 WRITE");
        reader.send(["BLPOP nothing 0"]);
        sleep(Duration::from_millis(100));
        let unblock = format!("CLIENT UNBLOCK {id}");
        match ends {
            "RESPG.MODE" => change_mode(&mut admin, "redis"),
            // The BLPOP may not have come yet.
            _ => until(&mut admin, &unblock, &Value::Integer(1)),
        }
        assert_eq!(reader.read(), Value::Null);
        assert_eq!(redis.plain("ECHO alive"), "alive", "{ends}");
    }
}

/// What the upstream has answered just before a change of the mode comes before what blocks here after it.
#[test]
fn who_goes_on_to_wait_here_gets_what_came_before() {
    let (_redis, respg) = with_late_blpop();
    let (mut reader, mut admin) = (respg.connect(), respg.connect());
    reader.send(["BLPOP nothing 0"]);
    sleep(Duration::from_millis(100));
    admin.send(["RESPG.MODE SET postgres"]);
    sleep(Duration::from_millis(100));
    reader.send(["XREAD BLOCK 100 STREAMS s $", "PING end"]);
    assert_eq!([reader.read(), reader.read(), reader.read()], [Value::Null, Value::Null, "end".into()]);
}

/// What is respg's own is answered in its turn.
#[test]
fn own_commands_wait_for_what_came_before() {
    let shadow = Shadow::start(Redis::start(), &[]);
    let mut client = shadow.respg.connect();
    client.send(["BLPOP nothing 0.1", "RESPG.MODE GET", "RESPG.MODE", "PING end"]);
    assert_eq!([client.read(), client.read()], [Value::Null, "shadow".into()]);
    assert!(client.read().is_error());
    assert_eq!(client.read(), "end");
    client.send(["SUBSCRIBE c", "RESPG.MODE GET"]);
    assert!(matches!(client.read(), Value::Array(_)));
    assert_eq!(client.read(), "shadow");
}
