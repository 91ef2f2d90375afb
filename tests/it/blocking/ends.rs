//! The ends of a wait that are none of a served client.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{block, ids, make_group, until_blocked};
use crate::support::client::{Value, error, ok};
use crate::support::respg::Respg;

const READ: &str = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";

#[test]
fn time_runs_out() {
    let respg = Respg::start(&[]);
    let mut client = respg.connect();
    make_group(&mut client, "s");
    for call in ["XREAD BLOCK 150 STREAMS s $", "XREADGROUP GROUP g c BLOCK 150 STREAMS s >"] {
        let begun = Instant::now();
        assert_eq!(client.plain(call), Value::Null);
        assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn client_unblock() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut client = respg.connect();
    let id = client.plain("CLIENT ID").integer().to_string();
    let unblock = |how: &[&str]| format!("CLIENT UNBLOCK {id} {}", how.join(""));
    assert_eq!(admin.plain(&*unblock(&[])), 0);
    for (how, reply) in [
        (&[][..], Value::Null),
        (&["TIMEOUT"], Value::Null),
        (&["error"], error("UNBLOCKED client unblocked via CLIENT UNBLOCK")),
    ] {
        block(&mut admin, &mut client, "XREAD BLOCK 0 STREAMS s $");
        assert_eq!(admin.plain(&*unblock(how)), 1);
        assert_eq!(client.read(), reply);
        until_blocked(&mut admin, 0);
        assert_eq!(admin.plain(&*unblock(how)), 0);
    }
    // Who reads for a while is not unblocked later.
    assert_eq!(client.plain("XREAD BLOCK 1 STREAMS s $"), Value::Null);
}

#[test]
fn others_see_it() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut client = respg.connect();
    let id = client.plain("CLIENT ID").integer().to_string();
    block(&mut admin, &mut client, "XREAD BLOCK 0 STREAMS s $");
    let Value::Bulk(list) = admin.plain(["CLIENT", "LIST", "ID", &id]) else { panic!("no text") };
    let list = String::from_utf8(list.to_vec()).unwrap();
    assert!(list.contains(" flags=b ") && list.contains(" cmd=xread "), "{list}");
}

#[test]
fn whoever_goes_loses_nothing() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    make_group(&mut admin, "s");
    let mut gone = respg.connect();
    let mut killed = respg.connect();
    let mut stays = respg.connect();
    let id = killed.plain("CLIENT ID").integer().to_string();
    block(&mut admin, &mut gone, "XREADGROUP GROUP g gone BLOCK 0 STREAMS s >");
    block(&mut admin, &mut killed, "XREADGROUP GROUP g killed BLOCK 0 STREAMS s >");
    block(&mut admin, &mut stays, "XREADGROUP GROUP g stays BLOCK 0 STREAMS s >");
    drop(gone);
    until_blocked(&mut admin, 2);
    assert_eq!(admin.plain(["CLIENT", "KILL", "ID", &id]), 1);
    until_blocked(&mut admin, 1);
    assert_eq!(admin.plain("XADD s 1-1 f v"), "1-1");
    assert_eq!(ids(stays.read()), ["1-1"]);
    let Value::Array(pending) = admin.plain("XPENDING s g - + 10") else { panic!("no array") };
    assert_eq!(pending.len(), 1);
    let Value::Array(entry) = &pending[0] else { panic!("no entry") };
    assert_eq!(entry[1], "stays");
}

#[test]
fn a_group_that_goes_tells_its_readers() {
    let no_group = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut client = respg.connect();
    for (calls, expected) in [
        (&["XGROUP DESTROY s g"][..], no_group),
        (&["DEL s"], no_group),
        (&["RENAME s t"], no_group),
        (&["FLUSHDB"], no_group),
        (&["PEXPIRE s 10"], no_group),
        (&["SET s v"], wrong_type),
        (&["MULTI", "DEL s", "SET s v", "EXEC"], wrong_type),
    ] {
        let mut times = Vec::new();
        for round in 0..5 {
            assert_eq!(admin.plain("FLUSHALL"), ok());
            make_group(&mut admin, "s");
            block(&mut admin, &mut client, READ);
            // Until the back-stop has looked at the key for the first time: it must not be what tells them.
            sleep(Duration::from_millis(if round == 0 { 0 } else { 50 }));
            let begun = Instant::now();
            admin.send(calls.to_vec());
            calls.iter().for_each(|call| assert!(!admin.read().is_error(), "{call}"));
            assert_eq!(client.read(), error(expected), "{calls:?}");
            times.push(begun.elapsed());
        }
        times.sort();
        // Without a signal it would be half a second on average, as for what nobody does.
        assert!(
            calls[0].starts_with("PEXPIRE") || times[2] < Duration::from_millis(200),
            "{calls:?}: {times:?}"
        );
    }
    // Whoever reads without a group goes on waiting.
    assert_eq!(admin.plain("FLUSHALL"), ok());
    block(&mut admin, &mut client, "XREAD BLOCK 0 STREAMS s t $ $");
    assert_eq!(admin.plain("SET s v"), ok());
    assert_eq!(admin.plain("DEL s"), 1);
    assert_eq!(admin.plain("XADD s 1-1 f v"), "1-1");
    assert_eq!(ids(client.read()), ["1-1"]);
}

#[test]
fn a_pause_holds_attempts_back_but_not_the_time() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut client = respg.connect();
    make_group(&mut admin, "s");
    block(&mut admin, &mut client, "XREADGROUP GROUP g c BLOCK 600 STREAMS s >");
    let begun = Instant::now();
    assert_eq!(admin.plain("CLIENT PAUSE 5000 WRITE"), ok());
    assert_eq!(client.read(), Value::Null);
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(admin.plain("CLIENT UNPAUSE"), ok());
}

#[test]
fn the_end_of_the_process() {
    let respg = Respg::start(&[]);
    let mut admin = respg.connect();
    let mut socket = respg.socket();
    std::io::Write::write_all(&mut socket, b"XREAD BLOCK 0 STREAMS s $\r\n").unwrap();
    until_blocked(&mut admin, 1);
    let begun = Instant::now();
    respg.signal(rustix::process::Signal::TERM);
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut socket, &mut rest).unwrap();
    assert!(rest.is_empty());
    assert!(respg.ended().success());
    assert!(begun.elapsed() < Duration::from_secs(5), "a blocked client does not hold it up");
}
