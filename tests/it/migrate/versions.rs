//! Real servers of other versions: moved to Postgres, and back.

use serde_json::json;

use super::{fill_any, run, verify};
use crate::shadow::{Shadow, change_mode};
use crate::support::client::Value;
use crate::support::pg::fresh_database;
use crate::support::redis::{OTHERS, Redis};
use crate::support::respg::blocking;

#[test]
fn copied_and_back() {
    for program in OTHERS {
        let (redis, back, database) =
            (Redis::of(program, &[]), Redis::of(program, &[]), blocking(fresh_database()));
        fill_any(&mut redis.connect());
        for (name, url) in [("import", redis.url()), ("export", back.url())] {
            let (code, said) = run(name, &url, &database, &[]);
            assert_eq!(code, 0, "{program}: {said}");
            let (code, found) = verify(&url, &database, &[]);
            assert_eq!((code, &found["different"]), (0, &json!(0)), "{program}, {name}: {found:#}");
            assert!(found["keys"].as_u64() >= Some(14), "{found:#}");
        }
    }
}

#[test]
fn every_mode() {
    for program in OTHERS {
        let shadow = Shadow::start(Redis::of(program, &[]), &[]);
        let replies = shadow.call(
            "SET k 1 EX 100; INCR k; EVAL return{redis.call('incr',KEYS[1])} 1 k; MULTI; APPEND k 0; SET u 2; EXEC; DEL u; \
             XADD s 1-1 f v; XGROUP CREATE s g 0; XREADGROUP GROUP g c STREAMS s >; XACK s g 1-1; HSET h f v; SETRANGE r 3 x",
        );
        assert!(!replies.iter().any(Value::is_error), "{program}: {replies:?}");
        shadow.assert_equal();
        let mut client = shadow.respg.connect();
        assert_eq!(client.plain("DEL h"), 1);
        client.plain("RESPG.MODE SET redis");
        for mode in ["shadow", "reverse", "redis"] {
            change_mode(&mut client, mode);
            assert_eq!(
                client.plain("APPEND k 1").integer(),
                2 + client.plain("INCR n").integer(),
                "{program}"
            );
        }
        assert_eq!(shadow.redis.connect().plain("GET k"), Value::from("30111"), "{program}");
    }
}
