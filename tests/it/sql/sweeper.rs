use std::thread::sleep;
use std::time::{Duration, Instant};

use super::transactions::Both;
use crate::support::client::ok;
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};

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

/// Else keys are looked up by the primary key until autovacuum comes by.
#[test]
fn the_planner_knows_the_keys_soon() {
    let url = blocking(fresh_database());
    let sql =
        |sql: &'static str| blocking(async { connect(&url).await.query(sql, &[]).await.expect("rows") });
    sql("ALTER TABLE respg.keys_logged SET (autovacuum_enabled = off)");
    let respg = Respg::on(&url, &[]);
    let mut client = respg.connect();
    let sets: Vec<String> = (0..2000).map(|i| format!("SET key:{i} v")).collect();
    client.send(sets.iter().map(String::as_str));
    sets.iter().for_each(|_| assert_eq!(client.read(), ok()));
    let started = Instant::now();
    let known =
        "SELECT FROM pg_stats WHERE tablename = 'keys_logged' AND attname = 'key' AND n_distinct = -1";
    while sql(known).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no statistics");
        sleep(Duration::from_millis(200));
    }
    let plan = sql("EXPLAIN SELECT FROM respg.keys_logged k WHERE k.space = 1 AND k.key = 'key:1'");
    let plan: String = plan.iter().map(|line| line.get::<_, String>(0)).collect();
    assert!(plan.contains("key_idx"), "{plan}");
}
