//! While a server in shadow mode follows the Redis, it alone writes: others ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use respg::command::copy::{CopyError, KeyState};
use respg::copy::{Follower, Redis as Side, Resync, Resynced, read_keys, serve_requests, write_key};
use respg::store::{Store, Target};
use serde_json::json;

use super::{fill, run, verify};
use crate::support::pg::fresh_database;
use crate::support::redis::Redis;
use crate::support::respg::{Respg, blocking};

/// A follower that does nothing but what it is asked for; it writes to us as to any Redis.
struct Obedient {
    upstream: String,
    own: String,
    asked: Arc<AtomicU64>,
}

impl Resync for Obedient {
    fn resync(&self, db: u32, keys: Vec<Bytes>) -> BoxFuture<'_, Vec<(Bytes, Result<Resynced, CopyError>)>> {
        Box::pin(async move {
            let open = async |url: &str| {
                let mut side = Side::open(&url.parse().unwrap()).await.unwrap();
                side.select(db).await.unwrap();
                side
            };
            let (mut from, mut to) = (open(&self.upstream).await, open(&self.own).await);
            let mut outcomes = Vec::new();
            for (key, state) in read_keys(&mut from, keys).await.unwrap() {
                self.asked.fetch_add(1, Relaxed);
                let outcome = match state.unwrap() {
                    KeyState::Absent => Ok(Resynced::Absent),
                    KeyState::Unsupported(kind) => {
                        Ok(Resynced::Unsupported(String::from_utf8(kind.to_vec()).unwrap()))
                    }
                    state => write_key(&mut to, key.clone(), state).await.unwrap().map(|()| Resynced::Copied),
                };
                outcomes.push((key, outcome));
            }
            outcomes
        })
    }
}

#[test]
fn a_follower_is_asked() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    let mut upstream = redis.connect();
    fill(&mut upstream);
    upstream.plain("HSET user:1 a b");
    let info = format!("{:?}", upstream.plain("INFO server"));
    let run_id = info.split("run_id:").nth(1).unwrap()[..40].to_owned();
    let respg = Respg::on(&database, &[]);
    let asked = Arc::new(AtomicU64::new(0));
    let obedient = Arc::new(Obedient {
        upstream: redis.url(),
        own: format!("redis://{}", respg.address()),
        asked: asked.clone(),
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let serve = |upstream: &str, run_id: &str| {
        let _guard = runtime.enter();
        let target = Target::parse(&database).unwrap();
        let store = Arc::new(Store::new(target, 4, Duration::from_secs(10)));
        let serving = serve_requests(store, 7, upstream.to_owned(), run_id.to_owned(), obedient.clone());
        let serving = runtime.spawn(serving);
        // Until it is seen.
        runtime.block_on(async {
            let postgres = crate::support::pg::connect(&database).await;
            let seen = "SELECT FROM respg.followers WHERE upstream = $1 AND run_id = $2";
            while postgres.query(seen, &[&upstream, &run_id]).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        serving
    };

    let url = redis.url();
    let serving = serve(&url, &run_id);
    let (code, said) = run("import", &redis.url(), &database, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("it is asked to bring the keys over"), "{said}");
    assert!(said.contains("1 of type hash\n         1  user:*"), "{said}");
    let count = upstream.plain("DBSIZE").integer() as u64 + 1;
    assert_eq!(asked.load(Relaxed), count, "{said}");
    upstream.plain("DEL user:1");
    upstream.plain("SET text other");
    let (code, found) = verify(&redis.url(), &database, &["--repair"]);
    assert_eq!((code, &found["repaired"]), (0, &json!(1)), "{found:#}");
    assert_eq!(asked.load(Relaxed), count + 1);
    serving.abort();

    // One that has another upstream is not asked.
    let serving = serve(&url, &"0".repeat(40));
    let (code, said) = run("import", &redis.url(), &database, &[]);
    assert_eq!((code, said.contains("follows another Redis")), (1, true), "{said}");
    serving.abort();

    // Who cannot know that has to say the same as the follower.
    upstream.plain("ACL SETUSER app on >pass ~* +@all -info");
    let place = url.strip_prefix("redis://").unwrap();
    let unknowing = format!("redis://app:pass@{place}");
    for (name, options) in [("import", &["--db", "0"][..]), ("verify", &["--db", "0", "--repair"])] {
        for (followed, code) in [("elsewhere:6379", 1), (place, 0)] {
            let serving = serve(followed, &"0".repeat(40));
            let (ended, said) = run(name, &unknowing, &database, options);
            assert_eq!((ended, said.contains("may be another one")), (code, code == 1), "{name} {said}");
            serving.abort();
        }
    }
}

/// Says of each key which one it is.
struct Echo;

impl Resync for Echo {
    fn resync(&self, _: u32, keys: Vec<Bytes>) -> BoxFuture<'_, Vec<(Bytes, Result<Resynced, CopyError>)>> {
        let name = |key: &Bytes| Ok(Resynced::Unsupported(String::from_utf8_lossy(key).into_owned()));
        Box::pin(async move { keys.iter().map(|key| (key.clone(), name(key))).collect() })
    }
}

/// A crash of Postgres empties the table of requests, whose numbers begin anew: nobody is given the answer to somebody else's.
#[test]
fn a_request_is_answered_for_its_own_keys() {
    let database = blocking(fresh_database());
    drop(Respg::on(&database, &[]));
    let store = || Arc::new(Store::new(Target::parse(&database).unwrap(), 4, Duration::from_secs(10)));
    blocking(async {
        let serve =
            || tokio::spawn(serve_requests(store(), 7, "r".to_owned(), "i".to_owned(), Arc::new(Echo)));
        let first = serve();
        let follower = loop {
            match Follower::find(&store()).await.unwrap() {
                Some(follower) => break follower,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        first.abort();
        let keys = [Bytes::from_static(b"mine"), Bytes::from_static(b"also mine")];
        let asking = tokio::spawn(async move { follower.resync(0, &keys).await });
        let mut postgres = crate::support::pg::connect(&database).await;
        let count = "SELECT count(*) FROM respg.resyncs";
        while postgres.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let others = postgres.transaction().await.unwrap();
        others.batch_execute("TRUNCATE respg.resyncs RESTART IDENTITY").await.unwrap();
        others
            .batch_execute("INSERT INTO respg.resyncs (process, db, keys) VALUES (7, 0, '{others}')")
            .await
            .unwrap();
        others.commit().await.unwrap();
        let serving = serve();
        let own = ["mine", "also mine"].map(|key| Ok(Resynced::Unsupported(key.to_owned())));
        assert_eq!(asking.await.unwrap().unwrap(), Some(own.to_vec()));
        serving.abort();
    });
}
