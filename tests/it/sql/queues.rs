use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::transactions::Both;
use crate::support::client::{Value, error, ok};

impl Both {
    fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.sql(sql).expect("the statement succeeds");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Until the statement says true.
    fn wait_until(&self, sql: &str) {
        let started = Instant::now();
        while !self.one::<bool>(sql) {
            assert!(started.elapsed() < Duration::from_secs(30), "{sql}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The values of field n in a stream's order.
const NUMBERS: &str =
    "SELECT fields ->> 'n' FROM respg.live_entries WHERE key = 'q' ORDER BY respg.stream_id(id)";

#[test]
fn an_entry_is_there_when_the_business_transaction_commits() {
    let mut both = Both::start();
    both.script("CREATE TABLE orders (id int); BEGIN; INSERT INTO orders VALUES (7); SELECT respg.xadd('q', '{\"n\": 1}')");
    assert_eq!(both.redis.cmd("EXISTS q"), 0);
    both.script(
        "COMMIT; BEGIN; SELECT respg.xadd('q', '{\"n\": 2}'); ROLLBACK; SELECT respg.xadd('q', '{\"n\": 3}')",
    );
    assert_eq!(both.texts(NUMBERS), ["1", "3"]);
    assert_eq!(both.redis.cmd("TYPE q"), Value::Status("stream".into()));
}

#[test]
fn ids_increase_whatever_the_clock_says() {
    let both = Both::start();
    let first: String =
        both.one("SELECT respg.xadd('q', '{\"n\": 1}', '99999999999999-18446744073709551615')");
    assert_eq!(first, "99999999999999-18446744073709551615");
    assert_eq!(both.one::<String>("SELECT respg.xadd('q', '{\"n\": 2}')"), "100000000000000-0");
    assert_eq!(both.one::<String>("SELECT respg.xadd('q', '{\"n\": 3}')"), "100000000000000-1");
    let below = both.refused("SELECT respg.xadd('q', '{\"n\": 4}', '100000000000000-1')");
    assert_eq!(below, SqlState::INVALID_PARAMETER_VALUE);
    assert_eq!(both.one::<i64>("SELECT depth FROM respg.live_streams WHERE key = 'q'"), 3);
}

#[test]
fn errors_of_streams() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("SET s v"), ok());
    for (sql, state) in [
        ("SELECT respg.xadd('s', '{\"n\": 1}')", SqlState::DATATYPE_MISMATCH),
        ("SELECT respg.xadd('q', '{}')", SqlState::INVALID_PARAMETER_VALUE),
        ("SELECT respg.xadd('q', '[1]')", SqlState::INVALID_PARAMETER_VALUE),
        ("SELECT respg.xadd('q', '{\"n\": 1}', '5-x')", SqlState::INVALID_TEXT_REPRESENTATION),
        ("SELECT respg.xadd_raw('q', ARRAY['n'::bytea])", SqlState::INVALID_PARAMETER_VALUE),
        ("SELECT * FROM respg.xreadgroup('q', 'g', 'c')", SqlState::UNDEFINED_OBJECT),
        ("SELECT respg.xadd('q', '{\"n\": 1}', db => 99)", SqlState::INVALID_PARAMETER_VALUE),
    ] {
        assert_eq!(both.refused(sql), state, "{sql}");
    }
    assert_eq!(both.redis.cmd("EXISTS q"), 0);
    assert_eq!(both.one::<i64>("SELECT respg.xack('q', 'g', '1-1')"), 0);
}

#[test]
fn a_group_is_served_and_acknowledges_in_the_transaction() {
    let both = Both::start();
    both.script("SELECT respg.xgroup_create('q', 'g'); SELECT respg.xadd('q', jsonb_build_object('n', n)) FROM generate_series(1, 5) n");
    let read = "SELECT fields ->> 'n' FROM respg.xreadgroup('q', 'g', 'alice', 2)";
    both.script("BEGIN");
    assert_eq!(both.texts(read), ["1", "2"]);
    both.script("ROLLBACK");
    assert_eq!(both.texts(read), ["1", "2"]);
    assert_eq!(
        both.texts("SELECT fields ->> 'n' FROM respg.xreadgroup('q', 'g', 'bob', 2, noack => true)"),
        ["3", "4"]
    );
    let state = "SELECT format('lag %s pending %s deliveries %s consumers %s', lag, pending, most_deliveries, consumers) FROM respg.live_groups";
    assert_eq!(both.texts(state), ["lag 1 pending 2 deliveries 1 consumers 2"]);
    assert_eq!(
        both.one::<i64>("SELECT respg.xack('q', 'g', ARRAY(SELECT id FROM respg.live_pending LIMIT 1))"),
        1
    );
    let pending = "SELECT consumer || ' ' || (fields ->> 'n') || ' ' || deliveries FROM respg.live_pending";
    assert_eq!(both.texts(pending), ["alice 2 1"]);
    let consumers = "SELECT format('%s %s %s', consumer, pending, idle < interval '1 minute') FROM respg.live_consumers ORDER BY 1";
    assert_eq!(both.texts(consumers), ["alice 1 t", "bob 0 t"]);
}

#[test]
fn two_transactions_never_get_the_same_entry() {
    let both = Both::start();
    let other = both.another();
    both.script("SELECT respg.xgroup_create('q', 'g'); SELECT respg.xadd('q', jsonb_build_object('n', n)) FROM generate_series(1, 2) n");
    both.script("BEGIN; SELECT * FROM respg.xreadgroup('q', 'g', 'a')");
    let second =
        std::thread::spawn(move || other.texts("SELECT fields ->> 'n' FROM respg.xreadgroup('q', 'g', 'b')"));
    std::thread::sleep(Duration::from_millis(200));
    both.script("COMMIT");
    assert_eq!(second.join().unwrap(), ["2"]);
}

#[test]
fn maxlen_trims_and_bytes_stay_bytes() {
    let both = Both::start();
    both.script(
        "SELECT respg.xadd('q', jsonb_build_object('n', n), maxlen => 3) FROM generate_series(1, 10) n",
    );
    assert_eq!(both.texts(NUMBERS), ["8", "9", "10"]);
    both.script(r"SELECT respg.xadd_raw('\xff', ARRAY['f'::bytea, '\x00ff'])");
    let fields = r"SELECT fields ->> 'f' FROM respg.live_entries WHERE key = '\xff'";
    assert_eq!(both.texts(fields), [r"\x00ff"]);
    both.script(r"SELECT respg.xgroup_create('\xff'::bytea, 'g'::bytea, '0')");
    let raw = r"SELECT fields[2] FROM respg.xreadgroup_raw('\xff', 'g', 'c')";
    assert_eq!(both.one::<Vec<u8>>(raw), b"\x00\xff");
}

#[test]
fn delayed_entries_appear_when_they_are_due() {
    let both = Both::start();
    both.script("SELECT respg.xadd_at('q', '{\"n\": 2}', clock_timestamp() + interval '1 second'), respg.xadd('q', '{\"n\": 1}')");
    let late: i64 =
        both.one("SELECT respg.xadd_at('q', '{\"n\": 3}', clock_timestamp() + interval '1 hour')");
    assert_eq!(both.texts(NUMBERS), ["1"]);
    assert_eq!(both.one::<i64>("SELECT scheduled FROM respg.live_streams"), 2);
    both.wait_until("SELECT depth = 2 FROM respg.live_streams");
    assert_eq!(both.texts(NUMBERS), ["1", "2"]);
    let on_time = "SELECT max(added_at) - min(added_at) BETWEEN interval '0.9 seconds' AND interval '5 seconds' FROM respg.live_entries";
    assert!(both.one::<bool>(on_time));
    for taken_back in [true, false] {
        assert_eq!(both.one::<bool>(&format!("SELECT respg.xcancel({late})")), taken_back);
    }
}

#[test]
fn what_is_delivered_too_often_goes_to_the_dead_letter_stream() {
    for again in ["XAUTOCLAIM q g other 0 0", "XCLAIM q g other 0 1-1", "XREADGROUP GROUP g c STREAMS q 0"] {
        let mut both = Both::start();
        assert_eq!(both.redis.cmd("XADD q 1-1 n 1"), "1-1");
        assert_eq!(both.redis.cmd("XGROUP CREATE q g 0"), ok());
        assert_eq!(both.redis.cmd("RESPG.STREAM SET q DEADLETTER dead AFTER 2"), ok());
        both.redis.cmd("XREADGROUP GROUP g c STREAMS q >");
        let only_ids = both.redis.cmd("XAUTOCLAIM q g other 0 0 JUSTID");
        assert!(format!("{only_ids:?}").contains("1-1"), "{only_ids:?}");
        both.redis.cmd("XCLAIM q g c 0 1-1");
        assert_eq!(both.texts("SELECT deliveries::text FROM respg.live_pending"), ["2"]);
        let none = both.redis.cmd(again);
        assert!(!format!("{none:?}").contains("1-1"), "{again}: {none:?}");
        assert_eq!(both.one::<i64>("SELECT pending FROM respg.live_groups"), 0, "{again}");
        both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE key = 'dead')");
        let fields = "SELECT fields::text FROM respg.live_entries WHERE key = 'dead'";
        let expected = r#"{"n": "1", "dead-letter-id": "1-1", "dead-letter-group": "g", "dead-letter-stream": "q", "dead-letter-consumer": "c", "dead-letter-deliveries": "2"}"#;
        assert_eq!(both.texts(fields), [expected], "{again}");
    }
}

#[test]
fn dead_letters_and_archive_of_a_renamed_stream() {
    let mut both = Both::start();
    for call in [
        "XADD q 1-1 n 1",
        "XADD q 2-1 n 2",
        "XGROUP CREATE q g 0",
        "RESPG.STREAM SET q DEADLETTER dead AFTER 1 ARCHIVE 0",
        "XREADGROUP GROUP g c STREAMS q >",
        "RENAME q r",
        "XCLAIM r g c 0 1-1",
        "XACK r g 2-1",
    ] {
        assert!(!matches!(both.redis.cmd(call), Value::Error(_)), "{call}");
    }
    both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE key = 'dead')");
    assert_eq!(
        both.texts("SELECT fields ->> 'dead-letter-stream' FROM respg.live_entries WHERE key = 'dead'"),
        ["r"]
    );
    assert_eq!(both.texts("SELECT key_text || ' ' || id FROM respg.acknowledged"), ["r 2-1"]);
    // A copy has no options.
    assert_eq!(both.redis.cmd("COPY r copy"), 1);
    assert_eq!(both.redis.cmd("RESPG.STREAM GET copy"), Value::Array(vec![]));
}

#[test]
fn xack_archives() {
    let mut both = Both::start();
    for call in [
        "XADD q 1-1 n 1",
        "XGROUP CREATE q g 0",
        "RESPG.STREAM SET q ARCHIVE 60000",
        "XREADGROUP GROUP g c STREAMS q >",
    ] {
        both.redis.cmd(call);
    }
    assert_eq!(both.redis.cmd("MULTI"), ok());
    for call in ["XACK q g 1-1", "XADD q 2-1 n 2", "XREADGROUP GROUP g d STREAMS q >", "XACK q g 2-1 3-1"] {
        both.redis.cmd(call);
    }
    both.redis.cmd("EXEC");
    let archive = "SELECT format('%s %s %s %s', group_name, consumer, id, fields ->> 'n') FROM respg.acknowledged ORDER BY id";
    assert_eq!(both.texts(archive), ["g c 1-1 1", "g d 2-1 2"]);
    assert_eq!(both.redis.cmd("XACK q g 1-1"), 0);
    assert_eq!(both.one::<i64>("SELECT count(*) FROM respg.acknowledged"), 2);
}

/// Commands and functions see the same streams and groups.
#[test]
fn one_queue_for_both() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("XGROUP CREATE q g $ MKSTREAM"), ok());
    let id: String = both.one("SELECT respg.xadd('q', '{\"n\": 1}')");
    let entries = both.redis.cmd("XREADGROUP GROUP g c COUNT 1 STREAMS q >");
    assert!(format!("{entries:?}").contains(&id), "{entries:?}");
    assert_eq!(both.one::<i64>(&format!("SELECT respg.xack('q', 'g', '{id}')")), 1);
    let second = both.redis.cmd("XADD q * n 2");
    assert_eq!(both.texts("SELECT fields ->> 'n' FROM respg.xreadgroup('q', 'g', 'sql')"), ["2"]);
    let pending = both.redis.cmd("XPENDING q g - + 10");
    let Value::Bulk(second) = second else { panic!("no id: {second:?}") };
    assert!(format!("{pending:?}").contains(std::str::from_utf8(&second).unwrap()), "{pending:?}");
    let third: String = both.one("SELECT respg.xadd('q', '{\"n\": 3}')");
    assert_eq!(both.redis.cmd(["XACK", "q", "g", &third]), 0);
    let Value::Array(groups) = both.redis.cmd("XINFO GROUPS q") else { panic!("no array") };
    let info = format!("{:?}", groups[0]);
    assert_eq!(both.redis.cmd("XLEN q"), 3);
    assert_eq!(both.texts("SELECT format('%s %s', lag, pending) FROM respg.live_groups"), ["1 1"]);
    assert!(info.contains("lag"), "{info}");
    assert_eq!(both.redis.cmd("XGROUP DESTROY q g"), 1);
    assert!(both.one::<bool>("SELECT respg.xgroup_create('q', 'g', '0')"));
    assert_eq!(
        both.texts("SELECT fields ->> 'n' FROM respg.xreadgroup('q', 'g', 'sql', 9)"),
        ["1", "2", "3"]
    );
}

#[test]
fn acknowledged_entries_are_archived_if_wanted() {
    let both = Both::start();
    both.script("SELECT respg.xgroup_create('q', 'g'); SELECT respg.xadd('q', jsonb_build_object('n', n)) FROM generate_series(1, 2) n");
    let cycle = "SELECT respg.xack('q', 'g', id) FROM respg.xreadgroup('q', 'g', 'alice')";
    assert_eq!(both.one::<i64>(cycle), 1);
    both.script("SELECT respg.set_stream_options('q', archive => '1 day')");
    assert_eq!(both.one::<i64>(cycle), 1);
    let archive = "SELECT format('%s %s %s %s', consumer, fields ->> 'n', deliveries, acknowledged_at >= delivered_at) FROM respg.acknowledged";
    assert_eq!(both.texts(archive), ["alice 2 1 t"]);
    both.script("UPDATE respg.stream_archive SET keep_until = now() - interval '1 second'");
    both.wait_until("SELECT NOT EXISTS (SELECT FROM respg.acknowledged)");
}

#[test]
fn retention_by_length_and_age() {
    let both = Both::start();
    both.script("SELECT respg.xadd('q', jsonb_build_object('n', n)) FROM generate_series(1, 10) n; SELECT respg.set_stream_options('q', max_length => 4)");
    both.wait_until("SELECT depth = 4 FROM respg.live_streams");
    assert_eq!(both.texts(NUMBERS), ["7", "8", "9", "10"]);
    both.script("SELECT respg.set_stream_options('q', max_age => '100 milliseconds')");
    both.wait_until("SELECT depth = 0 FROM respg.live_streams");
    assert!(!both.one::<bool>("SELECT respg.set_stream_options('absent', max_length => 4)"));
    both.script("SELECT respg.del('q')");
    both.wait_until("SELECT NOT EXISTS (SELECT FROM respg.stream_options)");
}

#[test]
fn options_by_command() {
    let mut both = Both::start();
    both.script("SELECT respg.xadd('q', '{\"n\": 1}')");
    assert_eq!(both.redis.cmd("SET s v"), ok());
    let wrong_type = error("WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_eq!(both.redis.cmd("RESPG.STREAM SET absent MAXLEN 5"), error("ERR no such key"));
    assert_eq!(both.redis.cmd("RESPG.STREAM SET s MAXLEN 5"), wrong_type);
    assert_eq!(both.redis.cmd("RESPG.STREAM GET s"), wrong_type);
    assert_eq!(both.redis.cmd("RESPG.STREAM GET absent"), Value::Null);
    assert_eq!(both.redis.cmd("RESPG.STREAM GET q"), Value::Array(vec![]));
    assert_eq!(
        both.redis.cmd("RESPG.STREAM SET q DEADLETTER dead AFTER 5 ARCHIVE 1000 MAXAGE 2000 MAXLEN 3"),
        ok()
    );
    let Value::Array(options) = both.redis.cmd("RESPG.STREAM GET q") else { panic!("no array") };
    let options: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
    let expected = ["deadletter", "dead", "after", "5", "archive", "1000", "maxage", "2000", "maxlen", "3"];
    assert!(options.iter().zip(expected).all(|(option, text)| option.contains(text)), "{options:?}");
    let view = "SELECT format('%s %s %s %s %s', dead_letter, max_deliveries, archive, max_age, max_length) FROM respg.live_streams";
    assert_eq!(both.texts(view), ["dead 5 00:00:01 00:00:02 3"]);
    assert_eq!(both.redis.cmd("MULTI"), ok());
    both.redis.cmd("RESPG.STREAM SET q");
    assert_eq!(both.redis.cmd("EXEC"), Value::Array(vec![ok()]));
    assert_eq!(both.redis.cmd("RESPG.STREAM GET q"), Value::Array(vec![]));
    assert!(matches!(both.redis.cmd("RESPG.STREAM HELP"), Value::Array(_)));
}

#[test]
fn delayed_entries_by_command() {
    let mut both = Both::start();
    let later = both.redis.cmd("RESPG.STREAM ADD q DELAY 3600000 n 2").integer();
    both.redis.cmd("RESPG.STREAM ADD q AT 1 n 1").integer();
    both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE depth = 1 AND scheduled = 1)");
    assert_eq!(both.texts(NUMBERS), ["1"]);
    for taken_back in [1, 0] {
        assert_eq!(both.redis.cmd(format!("RESPG.STREAM CANCEL {later}").as_str()), taken_back);
    }
    assert_eq!(both.redis.cmd("SET s v"), ok());
    let wrong_type = error("WRONGTYPE Operation against a key holding the wrong kind of value");
    assert_eq!(both.redis.cmd("RESPG.STREAM ADD s DELAY 5 n 1"), wrong_type);
}

/// In much less than the second after which blocked clients look again anyway.
#[test]
fn a_blocked_reader_wakes_at_the_commit_and_never_hears_of_a_rollback() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("XGROUP CREATE q g $ MKSTREAM"), ok());
    for (call, n) in [("XREADGROUP GROUP g c BLOCK 0 STREAMS q >", 2), ("XREAD BLOCK 0 STREAMS q $", 4)] {
        both.redis.send([call]);
        std::thread::sleep(Duration::from_millis(300));
        both.script(&format!("BEGIN; SELECT respg.xadd('q', '{{\"n\": {}}}'); ROLLBACK; BEGIN; SELECT respg.xadd('q', '{{\"n\": {n}}}')", n - 1));
        std::thread::sleep(Duration::from_millis(200));
        let committed = Instant::now();
        both.script("COMMIT");
        let entries = format!("{:?}", both.redis.read());
        assert!(committed.elapsed() < Duration::from_millis(400), "{:?}", committed.elapsed());
        assert!(
            entries.contains(&format!("[\"n\", \"{n}\"]")) && entries.matches("\"n\"").count() == 1,
            "{entries}"
        );
    }
}

#[test]
fn a_delayed_entry_wakes_who_waits() {
    let mut both = Both::start();
    both.redis.cmd("RESPG.STREAM ADD q DELAY 300 n 1");
    both.redis.send(["XREAD BLOCK 5000 STREAMS q 0"]);
    assert!(format!("{:?}", both.redis.read()).contains("[\"n\", \"1\"]"));
}

/// Producers and consumers of both kinds at once: every entry is there once, in the order of ids, and is given out once.
#[test]
fn both_kinds_of_clients_at_once() {
    const EACH: usize = 40;
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("XGROUP CREATE q g $ MKSTREAM"), ok());
    let start = |work: fn(&mut Both, usize) -> Vec<String>, number: usize| {
        let mut client = both.another();
        std::thread::spawn(move || work(&mut client, number))
    };
    let producers = [produce_by_sql, produce_by_redis, produce_by_sql, produce_by_redis];
    let consumers = [consume_by_sql, consume_by_redis, consume_by_sql, consume_by_redis];
    let producers: Vec<_> = producers.into_iter().enumerate().map(|(n, work)| start(work, n)).collect();
    let consumers: Vec<_> = consumers.into_iter().enumerate().map(|(n, work)| start(work, n)).collect();
    let produced: Vec<Vec<String>> = producers.into_iter().map(|thread| thread.join().unwrap()).collect();
    let mut consumed: Vec<String> = consumers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let count = "SELECT count(*) FROM respg.live_entries";
    assert_eq!(both.one::<i64>(count), 4 * EACH as i64);
    assert_eq!(both.redis.cmd("XLEN q"), 4 * EACH as i64);
    assert_eq!(both.texts("SELECT format('%s %s', lag, pending) FROM respg.live_groups"), ["0 0"]);
    let ordered = both.texts("SELECT id FROM respg.live_entries ORDER BY respg.stream_id(id)");
    for ids in &produced {
        let places: Vec<_> =
            ids.iter().map(|id| ordered.iter().position(|other| other == id).unwrap()).collect();
        assert!(places.is_sorted(), "a producer's ids increase");
    }
    consumed.sort();
    let mut all = produced.concat();
    all.sort();
    assert_eq!(consumed, all);

    fn produce_by_sql(both: &mut Both, _: usize) -> Vec<String> {
        (0..EACH).map(|n| both.one(&format!("SELECT respg.xadd('q', '{{\"n\": {n}}}')"))).collect()
    }
    fn produce_by_redis(both: &mut Both, _: usize) -> Vec<String> {
        (0..EACH).map(|n| id_of(both.redis.cmd(format!("XADD q * n {n}").as_str()))).collect()
    }
    fn consume_by_sql(both: &mut Both, number: usize) -> Vec<String> {
        let cycle = format!(
            "SELECT id FROM (SELECT id, respg.xack('q', 'g', id) FROM respg.xreadgroup('q', 'g', 'c{number}', 3)) AS done (id, count)
             WHERE count = 1"
        );
        consume(|| both.texts(&cycle))
    }
    fn consume_by_redis(both: &mut Both, number: usize) -> Vec<String> {
        let read = format!("XREADGROUP GROUP g c{number} COUNT 1 STREAMS q >");
        consume(|| {
            let Value::Array(streams) = both.redis.cmd(read.as_str()) else { return Vec::new() };
            let [Value::Array(stream)] = &streams[..] else { panic!("one stream") };
            let [_, Value::Array(entries)] = &stream[..] else { panic!("a name and entries") };
            let [Value::Array(entry)] = &entries[..] else { panic!("one entry") };
            let id = id_of(entry[0].clone());
            assert_eq!(both.redis.cmd(["XACK", "q", "g", &id]), 1);
            vec![id]
        })
    }
    /// Until nothing has come for a second.
    fn consume(mut cycle: impl FnMut() -> Vec<String>) -> Vec<String> {
        let (mut got, mut last) = (Vec::new(), Instant::now());
        while last.elapsed() < Duration::from_secs(2) {
            let more = cycle();
            match more.is_empty() {
                true => std::thread::sleep(Duration::from_millis(20)),
                false => last = Instant::now(),
            }
            got.extend(more);
        }
        got
    }
    fn id_of(value: Value) -> String {
        let Value::Bulk(id) = value else { panic!("no id: {value:?}") };
        String::from_utf8(id.to_vec()).unwrap()
    }
}
