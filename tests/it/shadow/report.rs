//! What is told: RESPG.SHADOW, INFO, views.

use std::time::Duration;

use super::Shadow;
use super::trouble::until_unmarked;
use crate::support::client::{Client, Protocol, Value, error, ok};
use crate::support::matrix::client_of;
use crate::support::pg;
use crate::support::redis::Redis;
use crate::support::respg::blocking;

#[test]
fn over_resp_and_in_sql() {
    let shadow = Shadow::start(Redis::start(), &[]);
    // What is compared meanwhile is not followed.
    until_unmarked(&shadow);
    shadow.call("SET user:1:n 1; LPUSH list 1; HSET hash f v; PUBLISH c m");
    shadow.settle();
    blocking(async {
        let postgres = pg::connect(&shadow.database).await;
        postgres.batch_execute("SELECT respg.set('user:1:n', '41')").await.expect("set");
    });
    shadow.call("INCR user:1:n");
    shadow.settle();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut client = Client::connect(shadow.address(), protocol);
        let status = client.plain(["RESPG.SHADOW", "STATUS"]).map();
        let number = |name: &str| {
            let found = status.iter().find(|(key, _)| *key == name);
            found.unwrap_or_else(|| panic!("no {name}")).1.clone().integer()
        };
        assert!(
            number("followed") >= 3 && number("repaired") >= 1 && number("differences") >= 2,
            "{status:?}"
        );
        assert_eq!((number("lag_records"), number("dirty_slots")), (0, 0));
        let report = client.plain(["RESPG.SHADOW", "REPORT"]).map();
        assert_eq!(report.len(), 4);
        let foreign = report[1].1.clone().map();
        assert!(foreign.iter().any(|(name, count)| *name == "LPUSH" && *count == 1), "{foreign:?}");
        let types = report[2].1.clone().map();
        assert!(types.iter().any(|(name, _)| *name == "list"), "{types:?}");
        let Value::Array(differences) = client.plain(["RESPG.SHADOW", "DIFFS"]) else { panic!("no array") };
        let patterns: Vec<Value> = differences.into_iter().map(|found| found.map()[2].1.clone()).collect();
        assert!(patterns.iter().all(|pattern| *pattern == "user:*:n") && patterns.len() >= 2, "{patterns:?}");
        let Value::Array(one) = client.plain(["RESPG.SHADOW", "DIFFS", "COUNT", "1"]) else {
            panic!("no array")
        };
        assert_eq!(one.len(), 1);
        let Value::Bulk(info) = client.plain("INFO shadow") else { panic!("no text") };
        let info = std::str::from_utf8(&info).expect("text");
        assert!(info.starts_with("# Shadow\r\n") && info.contains("shadow_lag_ms:0\r\n"), "{info}");
    }
    std::thread::sleep(Duration::from_millis(2500));
    blocking(async {
        let postgres = pg::connect(&shadow.database).await;
        for (query, what) in [
            ("SELECT count(*) FROM respg.shadow_status WHERE name = 'repaired' AND value >= 1", "status"),
            (
                "SELECT count(*) FROM respg.shadow_differences WHERE pattern = 'user:*:n' AND class = 'value'",
                "differences",
            ),
            ("SELECT count(*) FROM respg.shadow_census WHERE kind = 'command' AND name = 'LPUSH'", "census"),
        ] {
            let count: i64 = postgres.query_one(query, &[]).await.expect("a view").get(0);
            assert_eq!(count, 1, "{what}");
        }
    });
    let mut client = Client::connect(shadow.address(), Protocol::Resp2);
    assert_eq!(client.plain(["RESPG.SHADOW", "DIFFS", "RESET"]), ok());
    assert_eq!(client.plain(["RESPG.SHADOW", "DIFFS"]), Value::Array(Vec::new()));
}

#[test]
fn without_shadow_mode() {
    let mut client = client_of(Protocol::Resp2, 0);
    for call in ["RESPG.SHADOW STATUS", "RESPG.SHADOW REPORT", "RESPG.SHADOW DIFFS"] {
        assert_eq!(client.plain(call), error("ERR this process does not follow anything, see --mode"));
    }
    assert!(matches!(client.plain(["RESPG.SHADOW", "HELP"]), Value::Array(lines) if lines.len() > 5));
}
