use super::{message, parts, pushed, subscribe};
use crate::support::client::{Client, Protocol, Value, array, error, ok};
use crate::support::respg::Respg;

/// On a server of its own: channels belong to the whole database.
fn each(body: impl Fn(&Respg, &mut Client, &mut Client)) {
    let respg = Respg::start(&[]);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut subscriber = Client::connect(respg.address(), protocol);
        let mut other = Client::connect(respg.address(), protocol);
        body(&respg, &mut subscriber, &mut other);
        drop(subscriber);
        while other.plain("PUBSUB CHANNELS") != Value::Array(vec![]) {}
    }
}

fn confirmed(word: &str, name: Value, count: i64) -> Vec<Value> {
    vec![word.into(), name, count.into()]
}

#[test]
fn subscribe_and_publish() {
    each(|_, subscriber, other| {
        assert_eq!(other.plain("PUBLISH a nobody"), 0);
        subscriber.send(["SUBSCRIBE a b a"]);
        assert_eq!(pushed(subscriber), confirmed("subscribe", "a".into(), 1));
        assert_eq!(pushed(subscriber), confirmed("subscribe", "b".into(), 2));
        assert_eq!(pushed(subscriber), confirmed("subscribe", "a".into(), 2));
        assert_eq!(other.plain("PUBLISH a one"), 1);
        assert_eq!(other.plain("PUBLISH c none"), 0);
        assert_eq!(other.plain("PUBLISH b two"), 1);
        assert_eq!(pushed(subscriber), message("a", "one"));
        assert_eq!(pushed(subscriber), message("b", "two"));
        subscriber.send(["UNSUBSCRIBE a"]);
        assert_eq!(pushed(subscriber), confirmed("unsubscribe", "a".into(), 1));
        assert_eq!(other.plain("PUBLISH a late"), 0);
        subscriber.send(["UNSUBSCRIBE", "UNSUBSCRIBE"]);
        assert_eq!(pushed(subscriber), confirmed("unsubscribe", "b".into(), 0));
        assert_eq!(pushed(subscriber), confirmed("unsubscribe", Value::Null, 0));
        assert_eq!(subscriber.plain("GET k"), Value::Null);
    });
}

#[test]
fn psubscribe_and_punsubscribe() {
    each(|_, subscriber, other| {
        subscriber.send(["SUBSCRIBE news.a", "PSUBSCRIBE news.*"]);
        assert_eq!(pushed(subscriber), confirmed("subscribe", "news.a".into(), 1));
        assert_eq!(pushed(subscriber), confirmed("psubscribe", "news.*".into(), 2));
        assert_eq!(other.plain("PUBLISH news.a x"), 2);
        assert_eq!(pushed(subscriber), message("news.a", "x"));
        assert_eq!(pushed(subscriber), parts(["pmessage", "news.*", "news.a", "x"]));
        assert_eq!(other.plain("PUBSUB NUMPAT"), 1);
        subscriber.send(["PUNSUBSCRIBE", "UNSUBSCRIBE news.a"]);
        assert_eq!(pushed(subscriber), confirmed("punsubscribe", "news.*".into(), 1));
        assert_eq!(pushed(subscriber), confirmed("unsubscribe", "news.a".into(), 0));
        assert_eq!(other.plain("PUBSUB NUMPAT"), 0);
    });
}

#[test]
fn ssubscribe_spublish_sunsubscribe() {
    each(|_, subscriber, other| {
        subscriber.send(["SSUBSCRIBE s t", "SUBSCRIBE s"]);
        assert_eq!(pushed(subscriber), confirmed("ssubscribe", "s".into(), 1));
        assert_eq!(pushed(subscriber), confirmed("ssubscribe", "t".into(), 2));
        assert_eq!(pushed(subscriber), confirmed("subscribe", "s".into(), 1));
        assert_eq!(other.plain("SPUBLISH s one"), 1);
        assert_eq!(pushed(subscriber), parts(["smessage", "s", "one"]));
        assert_eq!(other.plain("PUBLISH s two"), 1);
        assert_eq!(pushed(subscriber), message("s", "two"));
        assert_eq!(other.plain("PUBSUB SHARDCHANNELS s*"), array!["s"]);
        assert_eq!(other.plain("PUBSUB SHARDNUMSUB s x"), array!["s", 1, "x", 0]);
        subscriber.send(["SUNSUBSCRIBE t", "SUNSUBSCRIBE", "UNSUBSCRIBE"]);
        assert_eq!(pushed(subscriber), confirmed("sunsubscribe", "t".into(), 1));
        assert_eq!(pushed(subscriber), confirmed("sunsubscribe", "s".into(), 0));
        assert_eq!(pushed(subscriber), confirmed("unsubscribe", "s".into(), 0));
    });
}

#[test]
fn pubsub_counts() {
    each(|_, subscriber, other| {
        subscribe(subscriber, "SUBSCRIBE a b");
        assert_eq!(other.plain("PUBSUB CHANNELS"), array!["a", "b"]);
        assert_eq!(other.plain("PUBSUB CHANNELS b*"), array!["b"]);
        assert_eq!(other.plain("PUBSUB NUMSUB b c"), array!["b", 1, "c", 0]);
        assert!(matches!(other.plain("PUBSUB HELP"), Value::Array(lines) if lines.len() == 14));
        let Value::Bulk(list) = other.plain("CLIENT LIST TYPE pubsub") else { panic!("a list") };
        let list = String::from_utf8(list.to_vec()).unwrap();
        assert!(list.lines().count() == 1 && list.contains(" flags=P db=0 sub=2 psub=0 ssub=0 "), "{list}");
        subscriber.send(["UNSUBSCRIBE b"]);
        pushed(subscriber);
        assert_eq!(other.plain("PUBSUB NUMSUB b"), array!["b", 0]);
    });
}

#[test]
fn what_subscribers_may_do() {
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    subscribe(&mut client, "SUBSCRIBE a");
    let refusal = "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    assert_eq!(client.plain("GET k"), error(refusal));
    assert_eq!(client.plain("PING"), array!["pong", ""]);
    assert_eq!(client.plain("PING x"), array!["pong", "x"]);
    assert_eq!(client.plain("RESET"), Value::Status("RESET".to_owned()));
    assert_eq!(client.plain("GET k"), Value::Null);
    assert_eq!(client.plain("PUBLISH a x"), 0);
    // RESP3 has no such rule; what a client says to itself comes after the reply.
    let mut client = Client::connect(respg.address(), Protocol::Resp3);
    subscribe(&mut client, "SUBSCRIBE a");
    assert_eq!(client.plain("PING"), Value::Status("PONG".to_owned()));
    client.send(["PUBLISH a one", "GET k", "PUBLISH a two", "SET k v"]);
    assert_eq!(client.read(), 1);
    assert_eq!(pushed(&mut client), message("a", "one"));
    assert_eq!(client.read(), Value::Null);
    assert_eq!(client.read(), 1);
    assert_eq!(pushed(&mut client), message("a", "two"));
    assert_eq!(client.read(), ok());
}

#[test]
fn publish_in_exec() {
    each(|_, subscriber, other| {
        subscribe(subscriber, "SUBSCRIBE a");
        other.send(["MULTI", "SET k v", "PUBLISH a one", "SPUBLISH a no", "PUBLISH a two", "EXEC"]);
        assert_eq!(other.read(), ok());
        (0..4).for_each(|_| assert_eq!(other.read(), Value::Status("QUEUED".to_owned())));
        assert_eq!(other.read(), Value::Array(vec![ok(), 1.into(), 0.into(), 1.into()]));
        assert_eq!(pushed(subscriber), message("a", "one"));
        assert_eq!(pushed(subscriber), message("a", "two"));
        other.send(["WATCH k", "SET k w", "MULTI", "PUBLISH a never", "EXEC"]);
        assert_eq!([other.read(), other.read(), other.read()], [ok(), ok(), ok()]);
        other.read();
        assert_eq!(other.read(), Value::Null);
        assert_eq!(other.plain("PUBLISH a after"), 1);
        assert_eq!(pushed(subscriber), message("a", "after"));
        subscriber.send(["UNSUBSCRIBE"]);
        pushed(subscriber);
    });
}
