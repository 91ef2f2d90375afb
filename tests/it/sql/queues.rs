use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::transactions::Both;
use crate::support::client::{Value, ok};

impl Both {
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.sql(sql).expect("the statement succeeds");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Until the statement says true.
    pub fn wait_until(&self, sql: &str) {
        let started = Instant::now();
        while !self.one::<bool>(sql) {
            assert!(started.elapsed() < Duration::from_secs(30), "{sql}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The values of field n in a stream's order.
pub const NUMBERS: &str =
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
        ("SELECT respg.xadd('q', '{\"n\": 1}', maxlen => -1)", SqlState::INVALID_PARAMETER_VALUE),
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

/// In much less than the second after which blocked clients look again anyway (most of the time: the machine may be busy).
#[test]
fn a_blocked_reader_wakes_at_the_commit_and_never_hears_of_a_rollback() {
    let mut both = Both::start();
    assert_eq!(both.redis.cmd("XGROUP CREATE q g $ MKSTREAM"), ok());
    let mut times = Vec::new();
    for round in 0..6 {
        let call = ["XREADGROUP GROUP g c BLOCK 0 STREAMS q >", "XREAD BLOCK 0 STREAMS q $"][round % 2];
        let add = |number: usize| format!("SELECT respg.xadd('q', '{{\"n\": {number}}}')");
        both.redis.send([call]);
        std::thread::sleep(Duration::from_millis(300));
        both.script(&format!("BEGIN; {}; ROLLBACK; BEGIN; {}", add(100 + round), add(round)));
        std::thread::sleep(Duration::from_millis(200));
        let committed = Instant::now();
        both.script("COMMIT");
        let entries = format!("{:?}", both.redis.read());
        times.push(committed.elapsed());
        assert!(
            entries.contains(&format!("[\"n\", \"{round}\"]")) && entries.matches("\"n\"").count() == 1,
            "{entries}"
        );
        // The group has to have read what came meanwhile.
        both.redis.cmd("XREADGROUP GROUP g c STREAMS q >");
    }
    times.sort();
    assert!(times[3] < Duration::from_millis(400), "{times:?}");
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
