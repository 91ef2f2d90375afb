//! Whom a write serves, and with what.

use super::{block, blocked_clients, ids, make_group, until_blocked};
use crate::support::client::{Client, Protocol, Value, array, ok};
use crate::support::respg::Respg;

const READ: &str = "XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >";

#[test]
fn of_a_group_whoever_came_first_is_first() {
    let respg = Respg::start(&["--threads", "3"]);
    let mut admin = respg.connect();
    make_group(&mut admin, "s");
    let mut waiters: Vec<Client> = (0..12).map(|_| respg.connect()).collect();
    for waiter in &mut waiters {
        block(&mut admin, waiter, READ);
    }
    // One by one, several at once, and more than anybody waits for.
    for (served, entries) in [(0..1, 1), (1..4, 3), (4..12, 10)] {
        for _ in 0..entries {
            let id = admin.plain("XADD s * f v");
            assert!(!id.is_error(), "{id:?}");
        }
        let mut last = String::new();
        for waiter in &mut waiters[served.clone()] {
            let got = ids(waiter.read());
            assert_eq!(got.len(), 1);
            assert!(got[0] > last, "served out of order");
            last = got[0].clone();
        }
        until_blocked(&mut admin, 12 - served.end);
    }
    assert_eq!(ids(waiters[0].plain(READ)).len(), 1, "what nobody waited for");
}

/// While there is enough for everybody more and more of them are called together; they are on several threads, since they have pipelined. Seen to fail when
/// `Call::is_due` is always true.
#[test]
fn also_of_many_who_are_called_together() {
    let respg = Respg::start(&["--threads", "3"]);
    let mut admin = respg.connect();
    make_group(&mut admin, "s");
    let mut waiters: Vec<Client> = (0..90).map(|_| respg.connect()).collect();
    for waiter in &mut waiters {
        for _ in 0..40 {
            waiter.send(["PING"; 8]);
            (0..8).for_each(|_| drop(waiter.read()));
        }
    }
    for _ in 0..5 {
        for waiter in &mut waiters {
            block(&mut admin, waiter, READ);
        }
        let mut last = (0, 0);
        let mut waiting = &mut waiters[..];
        // The last of these finds something only after others have found nothing.
        for entries in [30, 1, 40, 19] {
            admin.send(std::iter::repeat_n("XADD s * f v", entries));
            let (served, rest) = waiting.split_at_mut(entries);
            waiting = rest;
            for waiter in served {
                let got = ids(waiter.read());
                assert_eq!(got.len(), 1);
                let (time, number) = got[0].split_once('-').unwrap();
                let id: (u64, u64) = (time.parse().unwrap(), number.parse().unwrap());
                assert!(id > last, "served out of order");
                last = id;
            }
            (0..entries).for_each(|_| assert!(!admin.read().is_error()));
        }
    }
}

#[test]
fn one_write_serves_every_reader_and_one_client_of_each_group() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    make_group(&mut admin, "s");
    assert_eq!(admin.plain("XGROUP CREATE s h $"), ok());
    let calls = [
        "XREAD BLOCK 0 STREAMS s $",
        READ,
        "XREAD BLOCK 0 STREAMS other s $ $",
        READ,
        "XREADGROUP GROUP h c BLOCK 0 STREAMS s >",
    ];
    let mut waiters: Vec<Client> = calls.iter().map(|_| respg.connect()).collect();
    for (waiter, call) in waiters.iter_mut().zip(calls) {
        block(&mut admin, waiter, call);
    }
    assert_eq!(admin.plain("XADD s 1-1 f v"), "1-1");
    for i in [0, 1, 2, 4] {
        assert_eq!(ids(waiters[i].read()), ["1-1"]);
    }
    assert_eq!(admin.plain("XADD s 1-2 f v"), "1-2");
    assert_eq!(ids(waiters[3].read()), ["1-2"]);
}

#[test]
fn keys_are_served_in_the_order_of_the_arguments_after_the_whole_exec() {
    let respg = Respg::start(&[]);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut admin = Client::connect(respg.address(), protocol);
        let mut waiter = admin.sibling();
        assert_eq!(admin.plain("FLUSHALL"), ok());
        block(&mut admin, &mut waiter, "XREAD BLOCK 0 STREAMS a b $ $");
        admin.send([
            "MULTI",
            "XADD b 1-1 f v",
            "XADD a 1-1 f v",
            "XADD a 1-2 f v",
            "DEL b",
            "XADD b 2-1 f w",
            "EXEC",
        ]);
        (0..7).for_each(|_| drop(admin.read()));
        let streams = waiter.read().entries();
        let names: Vec<&Value> = streams.iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&Value::from("a"), &Value::from("b")]);
        assert_eq!(streams[1].1, array![array!["2-1", array!["f", "w"]]]);
    }
}

#[test]
fn later_commands_wait_and_earlier_replies_do_not() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut client = respg.connect();
    client.send(["SET k v", "XREAD BLOCK 0 STREAMS s $", "GET k", "XREAD BLOCK 0 STREAMS s 1-1", "PING"]);
    assert_eq!(client.read(), ok());
    until_blocked(&mut admin, 1);
    // Arrives while it is blocked.
    client.send(["SET k after", "GET k"]);
    assert_eq!(admin.plain("SET k changed"), ok());
    assert_eq!(admin.plain("XADD s 1-1 f v"), "1-1");
    assert_eq!(ids(client.read()), ["1-1"]);
    assert_eq!(client.read(), "changed");
    until_blocked(&mut admin, 1);
    assert_eq!(admin.plain("XADD s 1-2 f v"), "1-2");
    assert_eq!(ids(client.read()), ["1-2"]);
    assert_eq!(client.read(), Value::Status("PONG".to_owned()));
    assert_eq!([client.read(), client.read()], [ok(), Value::from("after")]);
}

#[test]
fn in_a_transaction_nobody_waits() {
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    make_group(&mut client, "s");
    client.send(["MULTI", "XREAD BLOCK 0 STREAMS s $", READ, "XADD s 1-1 f v", READ, "DBSIZE", "EXEC"]);
    (0..6).for_each(|_| drop(client.read()));
    let Value::Array(replies) = client.read() else { panic!("no array") };
    assert_eq!(replies[..2], [Value::Null, Value::Null]);
    assert_eq!(ids(replies[3].clone()), ["1-1"]);
}

#[test]
fn whatever_makes_a_key_ready_wakes() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut waiter = respg.connect();
    let mut elsewhere = respg.connect();
    elsewhere.select(1);
    let calls: [&[&str]; 6] = [
        &["RENAME old s"],
        &["COPY old s"],
        &["RENAMENX old s"],
        &["SWAPDB 0 1"],
        &["MULTI", "RENAME old s", "DBSIZE", "EXEC"],
        &["MOVE"],
    ];
    for call in calls {
        assert_eq!(admin.plain("FLUSHALL"), ok());
        let mut writer = &mut admin;
        if call[0].starts_with("SWAPDB") {
            assert_eq!(elsewhere.plain("XADD s 1-1 f v"), "1-1");
        }
        assert_eq!(writer.plain("XADD old 1-1 f v"), "1-1");
        block(writer, &mut waiter, "XREAD BLOCK 0 STREAMS s $");
        let call = match call[0] {
            "MOVE" => {
                assert_eq!(elsewhere.plain("XADD s 1-1 f v"), "1-1");
                writer = &mut elsewhere;
                &["MOVE s 0"][..]
            }
            _ => call,
        };
        writer.send(call.to_vec());
        let replies: Vec<Value> = call.iter().map(|_| writer.read()).collect();
        assert!(replies.iter().all(|reply| !reply.is_error()), "{call:?}: {replies:?}");
        assert_eq!(ids(waiter.read()), ["1-1"], "{call:?}");
    }
    assert_eq!(blocked_clients(&mut admin), 0);
}
