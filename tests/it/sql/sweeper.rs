use std::thread::sleep;
use std::time::{Duration, Instant};

use super::transactions::Both;
use crate::support::client::ok;

/// What nobody can see does not stay in the tables.
#[test]
fn dead_rows_are_removed() {
    let mut both = Both::start();
    for i in 0..100 {
        assert_eq!(both.redis.cmd(format!("SET expired:{i} v PX 1").as_str()), ok());
        assert_eq!(both.redis.cmd(format!("SET dropped:{i} v").as_str()), ok());
    }
    assert_eq!(both.redis.cmd("FLUSHDB"), ok());
    assert_eq!(both.redis.cmd("WATCH placeholder"), ok());
    assert_eq!(both.redis.cmd("MSET a 1 b 2"), ok());
    assert_eq!(both.redis.cmd("SET c 3 EX 1000"), ok());
    assert_eq!(both.redis.cmd("SET d 4 PX 1"), ok());
    let started = Instant::now();
    loop {
        let rows = both.sql(
            "SELECT string_agg(encode(key, 'escape'), ' ' ORDER BY key), (SELECT count(*) FROM respg.dropped_spaces) FROM respg.keys",
        );
        let row = &rows.unwrap()[0];
        if row.get::<_, &str>(0) == "a b c placeholder" && row.get::<_, i64>(1) == 0 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{row:?}");
        sleep(Duration::from_millis(200));
    }
    assert_eq!(both.redis.cmd("DBSIZE"), 3);
}
