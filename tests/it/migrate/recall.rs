//! The comparer is compared: what was changed on one side behind its back has to be found, nothing else.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{all, fill, run, verify};
use crate::support::client::Client;
use crate::support::pg::fresh_database;
use crate::support::redis::Redis;
use crate::support::respg::{Respg, blocking};

/// A change: how the key is made, what is done to it, and what that is called when the follower's was changed, or the upstream's.
type Change = (&'static str, Lines, Lines, [Lines; 2]);
type Lines = &'static [&'static str];

const CHANGES: &[Change] = &[
    ("gone", &["SET $ 1"], &["DEL $"], [&["missing"], &["extra"]]),
    ("new", &[], &["SET $ 1"], [&["extra"], &["missing"]]),
    ("turned", &["SET $ 1"], &["DEL $", "XADD $ 1-1 a b"], [&["type"]; 2]),
    ("byte", &["SET $ abcdef"], &["SETRANGE $ 3 x"], [&["value"]; 2]),
    ("longer", &["SET $ abc"], &["APPEND $ d"], [&["value"]; 2]),
    ("number", &["SET $ 3"], &["SET $ 3.0"], [&["number format"]; 2]),
    ("later", &["SET $ 1 PX 600000"], &["PEXPIRE $ 660000"], [&["ttl"]; 2]),
    ("for-ever", &["SET $ 1 PX 600000"], &["PERSIST $"], [&["ttl"]; 2]),
    ("mortal", &["SET $ 1"], &["PEXPIRE $ 600000"], [&["ttl"]; 2]),
    ("stream-mortal", &["XADD $ 1-1 a b"], &["PEXPIRE $ 600000"], [&["ttl"]; 2]),
    ("entry-more", &["XADD $ 1-1 a b"], &["XADD $ 2-1 a b"], [&["value", "stream ids"]; 2]),
    ("entry-less", &["XADD $ 1-1 a b", "XADD $ 2-1 a b"], &["XDEL $ 1-1"], [&["value", "stream ids"]; 2]),
    ("fields", &["XADD $ 1-1 a b"], &["DEL $", "XADD $ 1-1 a c"], [&["value"]; 2]),
    ("last-id", &["XADD $ 1-1 a b"], &["XSETID $ 9-9"], [&["stream ids"]; 2]),
    ("added", &["XADD $ 1-1 a b"], &["XSETID $ 1-1 ENTRIESADDED 9 MAXDELETEDID 0-0"], [&["stream ids"]; 2]),
    ("group-less", &["XGROUP CREATE $ g 0 MKSTREAM"], &["XGROUP DESTROY $ g"], [&["group"]; 2]),
    ("group-more", &["XADD $ 1-1 a b"], &["XGROUP CREATE $ g 0"], [&["group"]; 2]),
    (
        "consumer-more",
        &["XGROUP CREATE $ g 0 MKSTREAM"],
        &["XGROUP CREATECONSUMER $ g c"],
        [&["consumer"]; 2],
    ),
    (
        "consumer-less",
        &["XGROUP CREATE $ g 0 MKSTREAM", "XGROUP CREATECONSUMER $ g c"],
        &["XGROUP DELCONSUMER $ g c"],
        [&["consumer"]; 2],
    ),
    ("cursor", &["XADD $ 1-1 a b", "XGROUP CREATE $ g 0"], &["XGROUP SETID $ g 1-0"], [&["cursor"]; 2]),
    ("acked", PENDING, &["XACK $ g 2-1"], [&["pending"]; 2]),
    ("claimed", PENDING, &["XCLAIM $ g d 0 2-1 JUSTID"], [&["pending"]; 2]),
    ("delivered", PENDING, &["XCLAIM $ g c 0 2-1 RETRYCOUNT 9 JUSTID"], [&["pending"]; 2]),
];

const PENDING: &[&str] = &[
    "XADD $ 1-1 a b",
    "XADD $ 2-1 a b",
    "XADD $ 3-1 a b",
    "XGROUP CREATE $ g 0",
    "XGROUP CREATECONSUMER $ g d",
    "XREADGROUP GROUP g c STREAMS $ >",
];

/// What is no difference: another expiry within the tolerance, another idle time.
const HARMLESS: &[(&str, &[&str], &[&str])] = &[
    ("nearly", &["SET $ 1 PXAT 4000000000000"], &["PEXPIREAT $ 4000000000800"]),
    ("idle", PENDING, &["XCLAIM $ g c 0 2-1 IDLE 500000 RETRYCOUNT 1 JUSTID"]),
    ("rewritten", &["SET $ 1"], &["SET $ 2", "SET $ 1"]),
];

fn on(key: &str, lines: &[&str], client: &mut Client) {
    let lines: Vec<String> = lines.iter().map(|line| line.replace('$', key)).collect();
    all(client, &lines.iter().map(String::as_str).collect::<Vec<_>>());
}

fn found(groups: &Json) -> BTreeSet<(String, String)> {
    let groups = groups.as_array().expect("a list").iter().filter(|group| group["harmless"] == json!(false));
    let text = |value: &Json| value.as_str().expect("text").to_owned();
    groups.map(|group| (text(&group["pattern"]), text(&group["class"]))).collect()
}

#[test]
fn every_change_is_found_and_nothing_else() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut upstream = redis.connect();
    let sides = ["follower", "upstream"];
    let name = |side: &str, key: &str| format!("{side}:{key}");
    for side in sides {
        CHANGES.iter().for_each(|(key, made, ..)| on(&name(side, key), made, &mut upstream));
        HARMLESS.iter().for_each(|(key, made, _)| on(&name(side, key), made, &mut upstream));
    }
    fill(&mut upstream);
    assert_eq!(run("import", &redis.url(), &database, &[]).0, 0);
    let respg = Respg::on(&database, &[]);
    let mut expected = BTreeSet::new();
    for (number, side) in sides.into_iter().enumerate() {
        let client = &mut if number == 0 { respg.connect() } else { redis.connect() };
        for (key, _, change, classes) in CHANGES {
            on(&name(side, key), change, client);
            expected.extend(classes[number].iter().map(|class| (name(side, key), class.to_string())));
        }
        HARMLESS.iter().for_each(|(key, _, change)| on(&name(side, key), change, client));
    }
    // Also where the Redis has nothing at all.
    all(&mut respg.connect(), &["SELECT 9", "SET elsewhere 1"]);
    expected.insert(("elsewhere".to_owned(), "extra".to_owned()));
    let (code, report) = verify(&redis.url(), &database, &[]);
    assert_eq!(code, 2);
    assert_eq!(found(&report["groups"]), expected, "{report:#}");
    assert_eq!(report["different"], json!(2 * CHANGES.len() + 1), "{report:#}");

    let (code, report) = verify(&redis.url(), &database, &["--repair"]);
    assert_eq!((code, &report["repaired"]), (0, &json!(2 * CHANGES.len() + 1)), "{report:#}");
    let (code, report) = verify(&redis.url(), &database, &[]);
    assert_eq!((code, found(&report["groups"])), (0, BTreeSet::new()), "{report:#}");
}

/// Two sides that are the same never differ. RESPG_CLEAN_RUNS=100 for the long form.
#[test]
fn nothing_is_invented() {
    let runs = std::env::var("RESPG_CLEAN_RUNS").map_or(5, |runs| runs.parse().expect("a number"));
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut upstream = redis.connect();
    fill(&mut upstream);
    for number in 0..runs {
        for key in 0..200 {
            let key = format!("run:{number}:{key}");
            on(&key, &["SET $ value PX 5000"], &mut upstream);
        }
        on(&format!("stream:{number}"), PENDING, &mut upstream);
        assert_eq!(run("import", &redis.url(), &database, &[]).0, 0);
        let (code, report) = verify(&redis.url(), &database, &[]);
        assert_eq!((code, found(&report["groups"])), (0, BTreeSet::new()), "{report:#}");
    }
}
