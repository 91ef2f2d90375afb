//! Old versions of Redis: their commands, said to servers of today.

use respg::command::copy::{Dialect, compare};
use respg::copy::{Redis as Side, Scan, read_keys, write_keys};

use super::fill;
use crate::support::redis::{PROGRAMS, Redis};

#[tokio::test]
async fn what_redis_5_and_6_knew_is_enough() {
    for (major, minor) in [(5, 0), (6, 2)] {
        let old = Dialect { major, minor };
        let (from, to) = (Redis::start(), Redis::of(PROGRAMS[1], &[]));
        let filled = from.connect();
        tokio::task::spawn_blocking(move || fill(&mut { filled })).await.unwrap();
        let open = async |redis: &Redis| Side::open(&redis.url().parse().unwrap()).await.unwrap();
        let (mut source, mut target) =
            (open(&from).await.with_dialect(old), open(&to).await.with_dialect(old));
        let mut scan = Scan::new(None, 10_000, None);
        let keys = scan.next(&mut source).await.unwrap().unwrap().unwrap();
        let states = read_keys(&mut source, keys.clone()).await.unwrap();
        let states: Vec<_> = states.into_iter().map(|(key, state)| (key, state.unwrap())).collect();
        for outcome in write_keys(&mut target, &states).await.unwrap() {
            outcome.unwrap();
        }
        let copied = read_keys(&mut target, keys).await.unwrap();
        let mut found = Vec::new();
        for (key, state) in copied {
            let (_, original) = states.iter().find(|(same, _)| *same == key).unwrap();
            let differences = compare(original, &state.unwrap(), 1000);
            found.extend(differences.into_iter().map(|difference| (key.clone(), difference)));
        }
        // What XADD alone counts, and what old versions cannot say.
        found.retain(|(_, difference)| {
            !difference.class.is_harmless() && difference.class.name() != "stream ids"
        });
        assert!(found.is_empty(), "{found:?}");
    }
}
