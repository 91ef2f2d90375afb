//! Keys that expire before the follower comes to what was done to them while they were there.

use std::thread::sleep;
use std::time::Duration;

use super::Shadow;
use super::trouble::{until_unmarked, while_postgres_hangs};
use crate::support::client::Value;
use crate::support::redis::{PROGRAMS, Redis};

/// Of each its replies on the side that answers, and its effect there, are those of a key that is alive.
const USES: &[&str] = &[
    "SET incr 5;PEXPIRE incr 400;INCR incr",
    "SET append v PX 400;APPEND append w",
    // The same reply whether the key is there or not.
    "SET setbit v PX 400;SETBIT setbit 100 1",
    "SET float 1 PX 400;INCRBYFLOAT float 1.5",
    "SETEX keeps 1 v;PEXPIRE keeps 400;SET keeps w KEEPTTL",
    // They live on.
    "SET renewed v PX 400;EXPIRE renewed 1000",
    "SET renewed:by:get v PX 400;GETEX renewed:by:get EX 1000",
    "SET persistent v PX 400;PERSIST persistent",
    "SET deleted v PX 400;DEL deleted",
    "SET got v PX 400;GETDEL got",
    "SET renamed v PX 400;RENAME renamed to;PERSIST to",
    "SET copied v PX 400;COPY copied copy;PERSIST copy",
    "SET moved v PX 400;MOVE moved 1",
    "SET watched 1 PX 400;MULTI;INCR watched;GETEX watched PERSIST;EXEC",
    "XADD stream 1-1 f v;PEXPIRE stream 400;XADD stream 2-1 f v",
    "SET other w;SET source v PX 400;BITOP OR target source other",
];

#[test]
fn keys_that_expire_while_they_wait_to_be_followed() {
    for program in PROGRAMS {
        let shadow = Shadow::start(Redis::of(program, &[]), &[]);
        shadow.settle();
        while_postgres_hangs(&shadow, false, || {
            for lines in USES {
                let replies = shadow.call(lines);
                assert!(!replies.iter().any(|reply| reply.is_error()), "{lines}: {replies:?}");
            }
            sleep(Duration::from_millis(1000));
        });
        shadow.assert_equal();
        shadow.assert_no_differences();
    }
}

/// Nobody has told the follower when they were to expire: it finds them gone.
#[test]
fn keys_that_were_to_expire_before_the_process_began() {
    let mut shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.call("SET renewed v PX 3000;SET renewed:by:get v PX 3000");
    shadow.settle();
    until_unmarked(&shadow);
    shadow.kill(|| ());
    while_postgres_hangs(&shadow, false, || {
        assert_eq!(shadow.call("EXPIRE renewed 1000;GETEX renewed:by:get EX 1000")[0], Value::from(1));
        sleep(Duration::from_millis(3500));
    });
    shadow.assert_equal();
}
