use super::transactions::Both;
use crate::support::client::ok;

#[test]
fn live_keys() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("SET a 1"), ok());
    assert_eq!(both.redis.cmd("SET gone 1 PX 1"), ok());
    assert_eq!(both.redis.cmd("PEXPIREAT a 33177117420123"), 1);
    assert_eq!(both.redis.cmd("WATCH absent"), ok());
    assert_eq!(both.redis.cmd("SELECT 2"), ok());
    assert_eq!(both.redis.cmd([&b"SET"[..], b"b\xff", b"\\"]), ok());
    assert_eq!(both.redis.cmd([&b"PEXPIREAT"[..], b"b\xff", b"9223372036854775807"]), 1);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let rows = both
        .sql(
            r"SELECT db, key, key_text, type, size, expires_at AT TIME ZONE 'UTC' || '', ttl > interval '2000 years', value, value_text
              FROM respg.live_keys ORDER BY db",
        )
        .unwrap();
    assert_eq!(rows.len(), 2);
    let text = |row: usize, column: usize| rows[row].get::<_, Option<String>>(column);
    assert_eq!((rows[0].get::<_, i32>(0), rows[0].get::<_, &[u8]>(1)), (0, &b"a"[..]));
    assert_eq!((text(0, 3).as_deref(), rows[0].get::<_, i32>(4)), (Some("string"), 1));
    assert_eq!(text(0, 5).as_deref(), Some("3021-05-05 09:57:00.123"));
    assert_eq!(rows[0].get::<_, Option<bool>>(6), Some(false));
    assert_eq!((rows[1].get::<_, i32>(0), rows[1].get::<_, &[u8]>(1)), (2, &b"b\xff"[..]));
    assert_eq!((text(1, 2).as_deref(), text(1, 8).as_deref()), (Some(r"b\377"), Some(r"\\")));
    assert_eq!(text(1, 5).as_deref(), Some("infinity"));
    assert_eq!(rows[1].get::<_, Option<bool>>(6), None);
}

/// Whoever reads the schema finds an explanation.
#[test]
fn everything_for_sql_clients_has_a_comment() {
    let both = Both::start();
    let rows = both
        .sql(
            "SELECT 'respg.' || proname FROM pg_proc
             WHERE pronamespace = 'respg'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
               AND proname IN ('get', 'set', 'del', 'incr', 'expire', 'exists', 'ttl', 'flushdb', 'flushall', 'publish', 'xadd', 'xadd_raw',
                  'xgroup_create', 'xreadgroup', 'xreadgroup_raw', 'xack', 'xadd_at', 'xadd_at_raw', 'xcancel', 'set_stream_options')
             UNION ALL
             SELECT attrelid::regclass || '.' || attname FROM pg_attribute
             WHERE attrelid IN (SELECT viewname::regclass FROM (SELECT 'respg.' || viewname AS viewname FROM pg_views WHERE schemaname = 'respg') v)
               AND attnum > 0 AND col_description(attrelid, attnum) IS NULL",
        )
        .unwrap();
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
