//! Processes that end, and answers of Postgres that do not come, in the middle of a change of the mode: who is left goes on soon, by one rule, and nothing that was acknowledged is lost.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio_postgres::Client as Postgres;

use super::pair::{PATIENCE, Pair, settle};
use super::{Shadow, change_mode};
use crate::support::client::{Value, ok};
use crate::support::pg;
use crate::support::redis::{PROGRAMS, Redis};
use crate::support::respg::blocking;

/// Far less than a change without an end lasts, and enough for a machine that is busy.
const SOON: Duration = Duration::from_secs(8);

/// A step of a change takes as long as somebody has the lock, whatever becomes of who has sent it.
const SLOW_STEP: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(4712);
        WHILE NOT pg_try_advisory_xact_lock(4711) LOOP
            BEGIN PERFORM pg_sleep(0.01); EXCEPTION WHEN query_canceled THEN END;
        END LOOP;
        RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE UPDATE ON respg.settings FOR EACH ROW WHEN (NEW.value LIKE TG_ARGV) EXECUTE FUNCTION slow()";

/// Holds up the step of a change that makes it `step`, from when it has begun until `meanwhile` is over.
async fn slow_step(
    database: &str,
    step: &str,
    begin: impl FnOnce(),
    meanwhile: impl AsyncFnOnce(&Postgres),
) -> Postgres {
    let (postgres, blocker) = (pg::connect(database).await, pg::connect(database).await);
    postgres.batch_execute(&SLOW_STEP.replace("TG_ARGV", &format!("'{step}'"))).await.expect("a trigger");
    blocker.batch_execute("SELECT pg_advisory_lock(4711)").await.expect("locked");
    begin();
    let there = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = Instant::now();
    while postgres.query_one(there, &[]).await.expect("counted").get::<_, i64>(0) == 0 {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    meanwhile(&postgres).await;
    blocker.batch_execute("SELECT pg_advisory_unlock(4711)").await.expect("released");
    postgres
}

/// What stands in the database.
async fn stored(postgres: &Postgres) -> String {
    let query = "SELECT value FROM respg.settings WHERE name = 'shadow-mode'";
    postgres.query_one(query, &[]).await.expect("there is a mode").get(0)
}

/// Waits until that fits.
async fn until(postgres: &Postgres, fits: impl Fn(&str) -> bool) {
    let begun = Instant::now();
    while !fits(&stored(postgres).await) {
        assert!(begun.elapsed() < PATIENCE, "{}", stored(postgres).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A change waits for a third process when who has begun it is killed.
#[test]
fn whoever_changes_the_mode_is_killed() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let mut initiator = pair.respg(0, &["--mode", "redis"]);
    let (held, slow) = (pair.respg(1, &[]), pair.respg(2, &[]));
    let mut client = held.connect();
    assert_eq!(client.plain("INCR n"), 1);
    slow.signal(Signal::STOP);
    let mut admin = initiator.connect();
    admin.send(["RESPG.MODE SET postgres FORCE"]);
    blocking(async {
        let postgres = pg::connect(&pair.database).await;
        until(&postgres, |stored| stored.contains('>')).await;
    });
    // It is ready.
    std::thread::sleep(Duration::from_millis(300));
    initiator.kill();
    let begun = Instant::now();
    assert_eq!(client.plain("INCR n"), 2);
    let took = begun.elapsed();
    slow.signal(Signal::CONT);
    assert!(took < SOON, "{took:?}");
    assert_eq!(slow.connect().plain("INCR n"), 3);
}

/// The answer to its first step does not come in time: its session is ended, so it does not happen afterwards.
#[test]
fn a_change_that_was_given_up_does_not_begin() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "redis", "--postgres-timeout", "1000"]);
    let mut client = respg.connect();
    let mut admin = respg.connect();
    blocking(async {
        let begin = || admin.send(["RESPG.MODE SET postgres"]);
        let given_up = async |_: &Postgres| tokio::time::sleep(Duration::from_millis(2500)).await;
        slow_step(&pair.database, "%>%", begin, given_up).await;
        assert!(admin.read().is_error());
    });
    assert_eq!(client.plain("INCR n"), 1);
    change_mode(&mut client, "postgres FORCE");
}

/// It has ended between the commit of a mode in which somebody follows and its own beginning with it: it alone has noted that all keys are to be compared.
#[test]
fn whoever_has_begun_to_follow_is_killed() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let mut initiator = pair.respg(0, &["--mode", "redis"]);
    let other = pair.respg(1, &[]);
    assert_eq!(redis.connect().plain("SET k v"), ok());
    let mut admin = initiator.connect();
    blocking(async {
        let begin = || admin.send(["RESPG.MODE SET shadow"]);
        let postgres = slow_step(&pair.database, "shadow", begin, async |_| initiator.kill()).await;
        until(&postgres, |stored| stored == "shadow").await;
    });
    let mut client = other.connect();
    // It is held back until the change is over.
    assert_eq!(client.plain("GET k"), Value::from("v"));
    let said = client.plain("RESPG.MODE SET postgres");
    if said != ok() {
        let again = pair.respg(0, &[]);
        settle(&again);
        change_mode(&mut client, "postgres");
    }
    assert_eq!(client.plain("GET k"), Value::from("v"), "{said:?}");
}

/// What it was answered and has not followed yet nobody else knows.
#[test]
fn a_process_dies_before_it_has_followed() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let mut dying = pair.settled(0, &["--mode", "shadow"]);
    let other = pair.respg(1, &[]);
    assert_eq!(dying.connect().plain("INCR n"), 1);
    [&dying, &other].into_iter().for_each(settle);
    blocking(async {
        let blocker = pg::connect(&pair.database).await;
        blocker.batch_execute("BEGIN; SELECT FROM respg.keys FOR UPDATE").await.expect("locked");
        assert_eq!(dying.connect().plain("INCR n"), 2);
        // Postgres will do what it was sent.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(dying.connect().plain("INCR n"), 3);
        dying.kill();
        blocker.batch_execute("ROLLBACK").await.expect("released");
    });
    let mut client = other.connect();
    let said = client.plain("RESPG.MODE SET postgres");
    if said != ok() {
        let again = pair.respg(0, &[]);
        settle(&again);
        change_mode(&mut client, "postgres");
    }
    assert_eq!(client.plain("INCR n"), 4, "{said:?}");
}

/// It is decided, and a process cannot begin to follow at this moment.
#[test]
fn postgres_is_away_when_a_change_is_made() {
    let shadow = Shadow::start(Redis::start(), &[]);
    shadow.settle();
    shadow.change_mode("redis");
    let mut client = shadow.respg.connect();
    assert_eq!(client.plain("SET k v"), ok());
    let mut admin = shadow.respg.connect();
    blocking(async {
        let blocker = pg::connect(&shadow.database).await;
        let begin = || admin.send(["RESPG.MODE SET shadow"]);
        let lock = async |_: &Postgres| {
            blocker.batch_execute("BEGIN; LOCK TABLE respg.shadow_runs").await.expect("locked");
        };
        slow_step(&shadow.database, "shadow", begin, lock).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        blocker.batch_execute("ROLLBACK").await.expect("released");
    });
    assert_eq!(client.plain("INCR n"), 1);
    assert_eq!(client.plain("RESPG.MODE GET"), Value::from("shadow"));
    shadow.assert_equal();
}

/// It answers by the rule that it knows as long as it hears of no other, so there is none.
#[test]
fn a_process_does_not_hear_of_a_change() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let role = "deaf_process";
    let listen = pair.database.replacen("//respg@", &format!("//{role}@"), 1);
    assert_ne!(listen, pair.database);
    let run = |sql: String| {
        blocking(async { pg::connect(&pair.database).await.batch_execute(&sql).await.expect("done") })
    };
    run(format!("CREATE ROLE {role} SUPERUSER LOGIN"));
    let hearing = pair.respg(0, &["--mode", "redis"]);
    let deaf = pair.respg(1, &["--listen-url", &listen]);
    assert_eq!(redis.connect().plain("SET k redis"), ok());
    run(format!("ALTER ROLE {role} NOLOGIN"));
    run(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"));
    // Each of them has forgotten it.
    std::thread::sleep(Duration::from_millis(3500));
    let (mut admin, mut client) = (hearing.connect(), deaf.connect());
    let said = admin.plain("RESPG.MODE SET postgres FORCE");
    let now = [admin.plain("GET k"), client.plain("GET k")];
    assert_eq!(now[0], now[1], "{said:?}");
    run(format!("ALTER ROLE {role} LOGIN"));
    change_mode(&mut admin, "postgres FORCE");
    assert_eq!([admin.plain("GET k"), client.plain("GET k")], [Value::Null, Value::Null]);
}
