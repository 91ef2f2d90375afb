//! A side is away for a while, takes nothing, or is another one when it is back.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use respg::upstream::UpstreamError;
use rustix::process::Signal;

use super::{run, task, verify};
use crate::support::pg::{Scratch, connect, fresh_database};
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::{Respg, blocking};

const KEYS: usize = 15_000;

fn fill(redis: &Redis) {
    let mut client = redis.connect();
    for keys in (0..KEYS).collect::<Vec<_>>().chunks(1000) {
        client.send(keys.iter().map(|key| ["SET".to_owned(), format!("key:{key}"), "x".repeat(key % 300)]));
        keys.iter().for_each(|_| assert!(!client.read().is_error()));
    }
}

/// Does something in the middle of an import; how that ends.
fn import_while(url: &str, database: &str, meanwhile: impl FnOnce()) -> (i32, String) {
    let mut task = task("import", url, database, &[]);
    let child = task.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("respg");
    let begun = Instant::now();
    blocking(async {
        let postgres = connect(database).await;
        while postgres.query("SELECT FROM respg.imports", &[]).await.unwrap_or_default().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not get on");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    meanwhile();
    let output = child.wait_with_output().expect("respg");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it was not killed"), String::from_utf8(said).expect("text"))
}

#[test]
fn postgres_comes_back() {
    let (redis, database, other) = (Redis::start(), blocking(fresh_database()), blocking(fresh_database()));
    fill(&redis);
    let (_, name) = database.rsplit_once('/').expect("a URL");
    let (code, said) = import_while(&redis.url(), &database, || {
        blocking(async {
            let postgres = connect(&other).await;
            let allow = async |whether| {
                let sql = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {whether}");
                postgres.batch_execute(&sql).await.expect("allowed or not");
            };
            allow(false).await;
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
            postgres.query(cut, &[&name]).await.expect("cut");
            // Longer than a write is tried again.
            tokio::time::sleep(Duration::from_secs(6)).await;
            allow(true).await;
        });
    });
    assert!((code, said.contains(&format!("imported {KEYS} keys"))) == (0, true), "{said}");
    let (code, report) = verify(&redis.url(), &database, &[]);
    assert_eq!((code, report["keys"].as_u64()), (0, Some(KEYS as u64)), "{report:#}");
}

/// The cursor of a SCAN means nothing to it.
#[test]
fn a_redis_that_is_started_anew() {
    let (scratch, database) = (Scratch::new(), blocking(fresh_database()));
    let folder = scratch.path().display().to_string();
    let socket = format!("{folder}/redis.sock");
    let start = || Redis::of(PROGRAMS[0], &["--unixsocket", &socket, "--dir", &folder]);
    let (mut redis, url) = (start(), format!("unix://{socket}"));
    fill(&redis);
    super::all(&mut redis.connect(), &["SAVE"]);
    let (code, said) = import_while(&url, &database, || {
        redis.kill();
        redis = start();
    });
    assert!((code, said.contains("was started anew")) == (1, true), "{said}");
    let (code, said) = run("import", &url, &database, &[]);
    assert!((code, said.contains(&format!("imported {KEYS} keys"))) == (0, true), "{said}");
}

/// Without persistence it has nothing of what was written.
#[test]
fn a_target_that_is_started_anew() {
    let (scratch, database) = (Scratch::new(), blocking(fresh_database()));
    let socket = format!("{}/redis.sock", scratch.path().display());
    let start = || Redis::of(PROGRAMS[0], &["--unixsocket", &socket]);
    let (mut redis, url) = (start(), format!("unix://{socket}"));
    fill(&redis);
    assert_eq!(run("import", &url, &database, &[]).0, 0);
    redis.kill();
    redis = start();
    let mut task = task("export", &url, &database, &[]);
    let child = task.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("respg");
    while redis.connect().plain("DBSIZE").integer() < 1000 {}
    redis.kill();
    redis = start();
    let output = child.wait_with_output().expect("respg");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!((output.status.code(), said.contains("was started anew")) == (Some(1), true), "{said}");
    let (code, said) = run("export", &url, &database, &[]);
    assert!((code, said.contains(&format!("exported {KEYS} keys"))) == (0, true), "{said}");
    let (code, report) = verify(&url, &database, &[]);
    assert_eq!((code, report["keys"].as_u64()), (0, Some(KEYS as u64)), "{report:#}");
    // Also between two databases, when nothing is under way.
    blocking(async {
        let side = respg::copy::Redis::open(&url.parse().expect("a URL")).await.expect("a Redis");
        redis.kill();
        redis = start();
        let why = side.sibling().await.map(drop).expect_err("another one").to_string();
        assert!(why.contains("was started anew"), "{why}");
    });
}

#[test]
fn a_redis_that_does_not_answer() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    redis.signal(Signal::STOP);
    let (code, said) = run("import", &redis.url(), &database, &[]);
    redis.signal(Signal::CONT);
    let sentence = format!("respg: cannot reach {}: no answer in time\n", redis.address());
    assert_eq!((code, said), (1, sentence));
}

/// It is no matter of single keys.
#[test]
fn a_redis_that_takes_no_writes() {
    let database = blocking(fresh_database());
    let respg = Respg::on(&database, &[]);
    super::all(&mut respg.connect(), &["SET a 1", "SET b 1"]);
    thread::scope(|scope| {
        for (setting, why) in [
            ("REPLICAOF 127.0.0.1 1", "READONLY You can't write against a read only replica."),
            ("CONFIG SET maxmemory 1", "OOM command not allowed when used memory > 'maxmemory'."),
        ] {
            let database = &database;
            scope.spawn(move || {
                let redis = Redis::start();
                super::all(&mut redis.connect(), &[setting]);
                let (code, said) = run("export", &redis.url(), database, &[]);
                assert_eq!((code, said), (1, format!("respg: no key can be written there: {why}\n")));
            });
        }
    });
}

#[test]
fn what_a_user_may_not_do() {
    let (redis, database) = (Redis::start(), blocking(fresh_database()));
    super::all(&mut redis.connect(), &["ACL SETUSER app on >pass ~* +@all -scan", "SET k v"]);
    let url = format!("redis://app:pass@{}", redis.address());
    let (code, said) = run("import", &url, &database, &[]);
    let why = "keys cannot be listed: NOPERM this user has no permissions to run the 'scan' command";
    assert!((code, said.contains(why), said.lines().count()) == (1, true, 1), "{said}");
}

/// Its INFO tells of the databases that it has loaded so far.
#[test]
fn a_redis_that_is_loading() {
    let (scratch, database) = (Scratch::new(), blocking(fresh_database()));
    let folder = scratch.path().display().to_string();
    let socket = format!("{folder}/redis.sock");
    let mut redis = Redis::of(PROGRAMS[0], &["--unixsocket", &socket, "--dir", &folder]);
    for select in ["SELECT 0", "SELECT 1"] {
        let keys = (0..300).map(|key| ["SET".to_owned(), format!("key:{key}"), "x".repeat(10)]);
        let mut client = redis.connect();
        super::all(&mut client, &[select]);
        client.send(keys);
        (0..300).for_each(|_| assert!(!client.read().is_error()));
    }
    super::all(&mut redis.connect(), &["SAVE"]);
    let url = format!("unix://{socket}");
    for task in ["verify", "import"] {
        redis.kill();
        // Half a second or more for each database.
        let slowly = ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
        let options = ["--unixsocket", &socket, "--dir", &folder].into_iter().chain(slowly);
        redis = Redis::of(PROGRAMS[0], &options.collect::<Vec<_>>());
        assert!(redis.connect().plain("DBSIZE").is_error(), "it has loaded everything already");
        let (code, said) =
            run(task, &url, &database, &["--settle", "0"][..2 * usize::from(task == "verify")]);
        let expected = if task == "verify" { (2, "600 keys differ") } else { (0, "imported 600 keys") };
        assert!((code, said.contains(expected.1)) == (expected.0, true), "{said}");
    }
}

/// It has its databases all the same: who takes them for absent has compared nothing.
#[test]
fn a_redis_that_is_busy() {
    let redis = Redis::of(PROGRAMS[0], &["--busy-reply-threshold", "1"]);
    blocking(async {
        let mut side = respg::copy::Redis::open(&redis.url().parse().expect("a URL")).await.expect("a Redis");
        redis.connect().send([["EVAL", "while true do end", "0"]]);
        while !redis.connect().plain("PING").is_error() {}
        let outcome = side.select(1).await;
        assert!(matches!(outcome, Err(UpstreamError::Away(_))), "{outcome:?}");
        let outcome = respg::copy::databases(&mut side).await;
        assert!(matches!(outcome, Err(UpstreamError::Away(_))), "{outcome:?}");
        super::all(&mut redis.connect(), &["SCRIPT KILL"]);
        while redis.connect().plain("PING").is_error() {}
        side.select(1).await.expect("selected");
        let outcome = side.select(16).await;
        assert!(matches!(outcome, Err(UpstreamError::NoDatabase { .. })), "{outcome:?}");
    });
}

/// It answers as if it were empty.
#[test]
fn a_replica_that_has_never_been_synced() {
    let (redis, database) =
        (Redis::of(PROGRAMS[0], &["--replicaof", "127.0.0.1 1"]), blocking(fresh_database()));
    for task in ["import", "verify"] {
        let (code, said) = run(task, &redis.url(), &database, &[]);
        let why = "it is a replica that has not got its master's data yet";
        assert!((code, said.contains(why)) == (1, true), "{code} {said}");
    }
}
