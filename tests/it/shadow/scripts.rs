//! Scripts, which only the upstream can execute.

use super::Shadow;
use crate::support::client::Value;
use crate::support::redis::Redis;

/// What they have written before they fail stays.
#[test]
fn scripts_that_fail_in_the_middle() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    let mut client = shadow.respg.connect();
    let ends = ["return redis.error_reply('no')", "return redis.call('incr', KEYS[1])"];
    let around: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&["MULTI"], &["EXEC"]),
        (&["WATCH k"], &["UNWATCH"]),
        (&["WATCH k", "MULTI"], &["EXEC"]),
    ];
    for (at, end) in ends.iter().enumerate() {
        for (way, (before, after)) in around.iter().enumerate() {
            let (script, key) = (format!("redis.call('set', KEYS[1], 'v'); {end}"), format!("{way}:{at}"));
            before.iter().for_each(|call| drop(client.plain(*call)));
            let reply = client.plain(["EVAL", &script, "1", &key]);
            let failed = |reply: &Value| matches!(reply, Value::Array(done) if done[0].is_error());
            let replies: Vec<Value> = after.iter().map(|call| client.plain(*call)).collect();
            assert!(reply.is_error() || replies.iter().any(failed), "{replies:?}");
            assert_eq!(client.plain(["GET", &key]), "v");
        }
    }
    shadow.assert_equal();
    shadow.assert_no_differences();
}

/// Nobody says which keys they have, so all may have changed.
#[test]
fn of_a_redis_that_does_not_tell_keys() {
    let hidden: [(&[&str], &str); 2] =
        [(&["--rename-command", "COMMAND", ""], "PING"), (&[], "ACL SETUSER default -command")];
    for (options, after_start) in hidden {
        let shadow = Shadow::start(Redis::of("redis-server", options), &[]);
        shadow.settle();
        assert!(!shadow.redis.connect().plain(after_start).is_error());
        let mut client = shadow.respg.connect();
        client.plain(["SET", "counter", "1"]);
        assert_eq!(client.plain(["EVAL", "return redis.call('incr', KEYS[1])", "1", "counter"]), 2);
        shadow.settle();
        shadow.assert_equal();
        assert!(!client.plain(["RESPG.MODE", "SET", "reverse"]).is_error());
        assert_eq!(client.plain(["GET", "counter"]), "2");
    }
}
