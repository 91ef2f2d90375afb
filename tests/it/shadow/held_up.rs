//! What clients are in the middle of does not hold up a change of the mode, and is not lost by it.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use super::Shadow;
use crate::support::client::ok;
use crate::support::redis::Redis;

/// The call is given up with the client before it was sent on.
#[test]
fn clients_that_go_at_once() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    for _ in 0..50 {
        let mut socket = shadow.respg.socket();
        socket.write_all(b"BLPOP nothing 0\r\n").expect("it reads");
    }
    sleep(Duration::from_millis(300));
    assert_eq!(shadow.respg.connect().plain("RESPG.MODE SET redis"), ok());
}
