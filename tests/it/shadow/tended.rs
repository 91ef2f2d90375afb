//! What respg does by itself, for the keys of one side.

use super::keys::change;
use super::pair::{Pair, pause};
use super::until;
use crate::support::client::{Value, ok};
use crate::support::pg::connect;
use crate::support::redis::PROGRAMS;
use crate::support::respg::blocking;

/// Delayed entries and retention go to streams for which Postgres answers: in others nobody would see them, and both sides would differ.
#[test]
fn streams_of_the_upstream_are_left_as_they_are() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let processes = [pair.settled(0, &["--mode", "shadow"])];
    let mut client = processes[0].connect();
    client.plain("XADD u:kept 1-1 n 1");
    change(&mut client, "RESPG.MODE SET reverse KEYS m:*");
    client.plain("XADD m:kept 1-1 n 1");
    pair.assert_equal(&processes);
    for name in ["u", "m"] {
        assert_eq!(client.plain(format!("RESPG.STREAM SET {name}:kept MAXAGE 1").as_str()), ok());
        client.plain(format!("RESPG.STREAM ADD {name}:late DELAY 1 n 1").as_str());
    }
    until(&mut client, "XLEN m:late", &Value::Integer(1));
    // Each trims at its start.
    let second = pair.respg(1, &[]);
    until(&mut client, "XLEN m:kept", &Value::Integer(0));
    pause(0.3);
    pair.assert_equal([&processes[0], &second]);
    assert_eq!(client.plain("XLEN u:kept"), 1);
    assert_eq!(client.plain("EXISTS u:late"), 0);
    change(&mut client, "RESPG.MODE SET reverse KEYS u:*");
    until(&mut client, "XLEN u:late", &Value::Integer(1));
    pair.assert_equal([&processes[0], &second]);
    // Of all keys.
    change(&mut client, "RESPG.MODE SET shadow");
    client.plain("RESPG.STREAM ADD m:later DELAY 1 n 1");
    pause(0.3);
    assert_eq!(pair.different(), 0);
    change(&mut client, "RESPG.MODE SET postgres");
    until(&mut client, "XLEN m:later", &Value::Integer(1));
}

/// Between the look at what is due and the adding something else becomes due.
#[test]
fn what_becomes_due_meanwhile_is_left_too() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let process = pair.settled(0, &["--mode", "shadow"]);
    let mut client = process.connect();
    change(&mut client, "RESPG.MODE SET reverse KEYS m:*");
    for number in 0..400 {
        client.plain("RESPG.STREAM ADD m:often DELAY 15 n 1");
        client.plain(format!("RESPG.STREAM ADD u:late:{number} DELAY 15 n 1").as_str());
    }
    until(&mut client, "XLEN m:often", &Value::Integer(400));
    pause(0.3);
    let waiting = blocking(async {
        let one = "SELECT count(*) FROM respg.stream_scheduled";
        connect(&pair.database).await.query_one(one, &[]).await.unwrap().get::<_, i64>(0)
    });
    assert_eq!(waiting, 400);
}
