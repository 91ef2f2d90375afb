//! Clients whose requests go to the upstream on connections of their own.

use super::Shadow;
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
