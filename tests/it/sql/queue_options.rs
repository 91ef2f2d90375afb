//! Delayed entries, dead letters, archive, retention.

use super::queues::NUMBERS;
use super::transactions::Both;
use crate::support::client::{Value, error, ok};

#[test]
fn delayed_entries_appear_when_they_are_due() {
    let both = Both::start();
    both.script("SELECT respg.xadd('q', '{\"n\": 1}'), respg.xadd_at('q', '{\"n\": 2}', clock_timestamp() + interval '2 seconds')");
    let late: i64 =
        both.one("SELECT respg.xadd_at('q', '{\"n\": 3}', clock_timestamp() + interval '1 hour')");
    assert_eq!(both.texts(NUMBERS), ["1"]);
    assert_eq!(both.one::<i64>("SELECT scheduled FROM respg.live_streams"), 2);
    both.wait_until("SELECT depth = 2 FROM respg.live_streams");
    assert_eq!(both.texts(NUMBERS), ["1", "2"]);
    let on_time = "SELECT max(added_at) - min(added_at) BETWEEN interval '2 seconds' AND interval '6 seconds' FROM respg.live_entries";
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

/// Neither an entry that is never due, nor one that cannot be added, nor many for a stream that is locked hold up the others.
#[test]
fn entries_that_wait_for_ever_are_in_nobodys_way() {
    let mut both = Both::start();
    let last = "18446744073709551615-18446744073709551615";
    assert_eq!(both.redis.cmd(format!("XADD full {last} n 0").as_str()), last);
    both.redis.cmd(format!("RESPG.STREAM ADD q DELAY {} n never", i64::MAX).as_str()).integer();
    both.redis.cmd("RESPG.STREAM ADD full AT 1 n 1").integer();
    both.redis.cmd("RESPG.STREAM ADD string DELAY 300 n kept").integer();
    assert_eq!(both.redis.cmd("SET string v"), ok());
    both.script("SELECT respg.xadd_at('q', '{\"n\": \"never\"}', 'infinity'), respg.xadd_at('early', '{\"n\": 1}', '-infinity')");
    both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE key = 'early' AND depth = 1)");
    let holder = both.another();
    holder.script("BEGIN; SELECT respg.xadd('locked', '{\"n\": 0}')");
    both.script(
        "SELECT respg.xadd_at('locked', jsonb_build_object('n', n), clock_timestamp()) FROM generate_series(1, 300) n",
    );
    both.redis.cmd("RESPG.STREAM ADD free AT 2 n 1").integer();
    both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE key = 'free' AND depth = 1)");
    holder.script("COMMIT");
    both.wait_until("SELECT EXISTS (SELECT FROM respg.live_streams WHERE key = 'locked' AND depth = 301)");
    // What cannot be added now is not lost.
    let kept = "SELECT convert_from(key, 'UTF8') || ' ' || (due_at > now())::text FROM respg.stream_scheduled WHERE key <> 'q' ORDER BY key";
    both.wait_until(&format!(
        "SELECT array_agg(line ORDER BY line) = '{{full true,string true}}' FROM ({kept}) AS t (line)"
    ));
}
