//! Mode redis: everything is the upstream's answer.

use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::redis::Redis;
use crate::support::respg::Respg;

fn front(redis: &Redis) -> Respg {
    Respg::start(&["--upstream", &redis.url(), "--mode", "redis"])
}

fn text(text: &str) -> Value {
    Value::Bulk(text.to_owned().into())
}

const LINES: &[&str] = &[
    "FLUSHALL",
    "SET k v",
    "GET k",
    "GET missing",
    "HSET h a 1 b 2",
    "HGETALL h",
    "ZADD z 1.5 a 2 b",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZSCORE z a",
    "SADD s x",
    "SMEMBERS s",
    "XADD x 1-1 f v",
    "XREAD STREAMS x 0",
    "XREAD STREAMS x $",
    "LPOP missing",
    "LPOP missing 2",
    "EVAL return{1,redis.call('get','k')} 0",
    "EVAL return(redis.call('nosuch')) 0",
    "SCRIPT LOAD return(KEYS[1])",
    "EVALSHA 4ec6f7ad3a5b2d7a4a5dd3c6dcb4b0b5d0d0a6a7 1 k",
    "FCALL nosuch 0",
    "SORT s ALPHA",
    "GEOADD g 1 2 here",
    "PFADD p a b",
    "CLIENT NOSUCH",
    "CLIENT KILL",
    "CONFIG NOSUCH",
    "OBJECT FREQ k",
    "INCR h",
    "NOSUCH a b",
    "SET k",
    "SELECT 99",
    "SELECT 3",
    "DBSIZE",
    "SET there 1",
    "SELECT 0",
    "EXISTS there",
    "MULTI",
    "SET k 2",
    "HSET h c 3",
    "EXEC",
    "MULTI",
    "INCR k",
    "NOSUCH",
    "EXEC",
    "MULTI",
    "SELECT 3",
    "GET there",
    "EXEC",
    "GET there",
    "SELECT 0",
    "EXEC",
    "DISCARD",
    "BLPOP nothing 0.01",
    "WAIT 0 10",
    "OBJECT ENCODING h",
    "CONFIG GET maxmemory-policy",
];

/// What types respg lacks are there too, and both protocols are the upstream's own.
#[test]
fn replies_are_those_of_the_upstream() {
    let redis = Redis::start();
    let respg = front(&redis);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut direct = Client::connect(redis.address(), protocol);
        let mut client = Client::connect(respg.address(), protocol);
        let said: Vec<Value> = LINES.iter().map(|line| client.plain(*line)).collect();
        let expected: Vec<Value> = LINES.iter().map(|line| direct.plain(*line)).collect();
        for ((line, said), expected) in LINES.iter().zip(said).zip(expected) {
            assert_eq!(said, expected, "{line}");
        }
    }
}

/// The upstream would say that there is no such command.
#[test]
fn mistakes_in_our_own_commands_are_told_by_us() {
    let redis = Redis::start();
    let respg = front(&redis);
    let mut client = respg.connect();
    for (line, told) in [
        ("RESPG.MODE", "ERR wrong number of arguments for 'respg.mode' command"),
        ("RESPG.MODE SET", "ERR wrong number of arguments for 'respg.mode|set' command"),
        ("RESPG.MODE NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try RESPG.MODE HELP."),
        ("RESPG.SHADOW NOSUCH", "ERR unknown subcommand 'NOSUCH'. Try RESPG.SHADOW HELP."),
        ("RESPG.SHADOW STATUS now", "ERR wrong number of arguments for 'respg.shadow|status' command"),
    ] {
        assert_eq!(client.plain(line), error(told), "{line}");
    }
}

#[test]
fn messages_and_transactions_on_connections_of_their_own() {
    let redis = Redis::start();
    let respg = front(&redis);
    let (mut a, mut b) = (respg.connect(), respg.connect());
    a.plain("SUBSCRIBE news");
    // Behind everything that the subscription was sent with.
    assert_eq!(a.plain("PING"), Value::Array(vec![text("pong"), text("")]));
    assert_eq!(b.plain("PUBLISH news x"), Value::Integer(1));
    assert_eq!(a.read(), Value::Array(vec![text("message"), text("news"), text("x")]));

    let mut a = respg.connect();
    for conflict in [false, true] {
        assert_eq!(a.plain("WATCH k"), ok());
        if conflict {
            b.plain("SET k other");
        }
        a.send(["MULTI", "SET k mine", "EXEC", "GET k"]);
        let replies: Vec<Value> = (0..4).map(|_| a.read()).collect();
        assert_eq!(replies[2..3] == [Value::Null], conflict, "{replies:?}");
        assert_eq!(replies[3], text(if conflict { "other" } else { "mine" }));
    }
}

/// The database is that of the SELECT that was not answered.
#[test]
fn a_database_chosen_without_a_reply() {
    let redis = Redis::start();
    let respg = front(&redis);
    for mut client in [redis.connect(), respg.connect()] {
        client.send(["SELECT 2", "DEL k", "CLIENT REPLY OFF", "SELECT 1", "SET k v", "CLIENT REPLY ON"]);
        let _: Vec<Value> = (0..3).map(|_| client.read()).collect();
        client.send(["GET k", "CLIENT REPLY SKIP", "SELECT 2", "EXISTS k"]);
        assert_eq!([client.read(), client.read()], [text("v"), Value::Integer(0)]);
    }
}

/// RESET gives the client's own connection up, and what that has brought still comes first.
#[test]
fn replies_come_in_order_after_a_reset() {
    let redis = Redis::start();
    let respg = front(&redis);
    for mut client in [redis.connect(), respg.connect()] {
        client.send([
            "SUBSCRIBE news",
            "UNSUBSCRIBE news",
            "RESET",
            "CLIENT REPLY SKIP",
            "PING",
            "ECHO last",
        ]);
        let replies: Vec<Value> = (0..4).map(|_| client.read()).collect();
        assert_eq!(replies[2..], [Value::Status("RESET".into()), text("last")], "{replies:?}");
    }
}

/// Who waits is the client's own affair: it is freed, unblocked, and when it goes nothing is taken for it.
#[test]
fn waiting_for_something() {
    let redis = Redis::start();
    let respg = front(&redis);
    let (mut a, mut b) = (respg.connect(), respg.connect());
    let blocked = |b: &mut Client| {
        while b.plain("INFO clients") == Value::Null {}
        loop {
            let mut direct = redis.connect();
            let Value::Bulk(info) = direct.plain("INFO clients") else { panic!() };
            let info = String::from_utf8(info.to_vec()).unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("blocked_clients:")).unwrap();
            if line.trim() != "0" {
                break;
            }
        }
    };
    let Value::Integer(id) = a.plain("CLIENT ID") else { panic!() };
    a.send(["BLPOP list 0", "GET after"]);
    blocked(&mut b);
    b.plain("SET after 1");
    b.plain("RPUSH list x");
    assert_eq!(a.read(), Value::Array(vec![text("list"), text("x")]));
    assert_eq!(a.read(), text("1"));
    a.send(["BLPOP list 0"]);
    blocked(&mut b);
    assert_eq!(b.plain(["CLIENT", "UNBLOCK", &id.to_string(), "ERROR"]), Value::Integer(1));
    assert_eq!(a.read(), error("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
    a.send(["BLPOP list 0"]);
    blocked(&mut b);
    drop(a);
    while b.plain("CLIENT LIST").to_string_lossy().lines().count() > 1 {}
    b.plain("RPUSH list y");
    assert_eq!(b.plain("LLEN list"), Value::Integer(1));
}
