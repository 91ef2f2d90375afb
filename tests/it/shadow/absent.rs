//! A process that is cut off from Postgres, or killed: it may go on in front of the Redis, so Postgres does not begin to answer until that is ruled out.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use super::late::sessions;
use super::pair::{Pair, settle};
use super::{change_mode, until};
use crate::support::client::{Client, Value, ok};
use crate::support::pg;
use crate::support::redis::PROGRAMS;
use crate::support::respg::{Respg, blocking};

const CUT_OFF: &str = "is connected to the upstream and not to PostgreSQL";

/// A process with a role of its own in Postgres, so that it alone can be cut off from it.
struct Apart {
    respg: Respg,
    database: String,
    role: &'static str,
}

impl Apart {
    fn start(pair: &Pair, role: &'static str, options: &[&str]) -> Apart {
        let database = pair.database.clone();
        run(&database, &format!("CREATE ROLE {role} SUPERUSER LOGIN"));
        let url = database.replacen("//respg@", &format!("//{role}@"), 1);
        assert_ne!(url, database);
        Apart { respg: pair.respg_by(&url, 1, options), database, role }
    }

    fn cut(&self) {
        let role = self.role;
        let cut =
            format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'");
        run(&self.database, &format!("ALTER ROLE {role} NOLOGIN"));
        run(&self.database, &cut);
    }

    fn mend(&self) {
        run(&self.database, &format!("ALTER ROLE {} LOGIN", self.role));
    }
}

fn run(database: &str, sql: &str) {
    blocking(async { pg::connect(database).await.batch_execute(sql).await.expect("done") });
}

fn refusal(admin: &mut Client, call: &str) -> String {
    match admin.plain(call) {
        Value::Error(text) => text,
        other => panic!("{other:?}"),
    }
}

/// In the mode in which nobody follows, and in the one in which Postgres does.
#[test]
fn who_is_cut_off_from_postgres_is_not_passed_over() {
    for (mode, role) in [("redis", "cut_off_redis"), ("shadow", "cut_off_shadow")] {
        let pair = Pair::new(PROGRAMS[0]);
        let _redis = pair.redis();
        let respg = pair.respg(0, &["--mode", mode]);
        let mut apart = Apart::start(&pair, role, &[]);
        let (mut admin, mut client) = (respg.connect(), apart.respg.connect());
        assert_eq!(client.plain("SET k 1"), ok());
        settle(&respg);
        apart.cut();
        // Longer than one that hears nothing is waited for.
        sleep(Duration::from_millis(3500));
        assert_eq!(client.plain("INCR k"), 2);
        if mode == "redis" {
            // Else it is what would be left there that is in the way.
            assert_eq!(client.plain("DEL k"), 1);
        }
        let why = refusal(&mut admin, "RESPG.MODE SET postgres");
        assert!(why.contains(CUT_OFF), "{why}");
        if mode == "redis" {
            assert_eq!([admin.plain("INCR k"), client.plain("INCR k")], [1, 2].map(Value::Integer));
            assert_eq!(client.plain("DEL k"), 1);
            apart.mend();
            change_mode(&mut admin, "postgres");
            assert_eq!([admin.plain("GET k"), client.plain("GET k")], [Value::Null, Value::Null]);
        } else {
            assert_eq!([admin.plain("INCR k"), client.plain("INCR k")], [3, 4].map(Value::Integer));
            apart.respg.kill();
            change_mode(&mut admin, "postgres");
            assert_eq!(admin.plain("INCR k"), 5);
        }
    }
}

/// Nor is one that FORCE has passed over and that has come back since.
#[test]
fn who_has_come_back_after_force_is_not_passed_over() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "redis"]);
    let apart = Apart::start(&pair, "passed_over", &[]);
    let (mut admin, mut client) = (respg.connect(), apart.respg.connect());
    assert_eq!(client.plain("SET k 1"), ok());
    apart.cut();
    // Not as long as it can be seen.
    let why = refusal(&mut admin, "RESPG.MODE SET postgres FORCE");
    assert!(why.contains(CUT_OFF) && !why.contains("FORCE"), "{why}");
    assert_eq!(client.plain("GET k"), Value::from("1"));
    assert_eq!(redis.connect().plain("ACL SETUSER default -client|list"), ok());
    assert_eq!(admin.plain("RESPG.MODE SET postgres FORCE"), ok());
    assert_eq!(redis.connect().plain("ACL SETUSER default +client|list"), ok());
    apart.mend();
    until(&mut client, "GET k", &Value::Null);
    assert_eq!(admin.plain("RESPG.MODE SET redis FORCE"), ok());
    apart.cut();
    let why = refusal(&mut admin, "RESPG.MODE SET postgres FORCE");
    assert!(why.contains(CUT_OFF), "{why}");
    assert_eq!([client.plain("INCR k"), admin.plain("INCR k")], [2, 3].map(Value::Integer));
}

/// Nor by a process that begins when no other is to be seen.
#[test]
fn who_is_cut_off_is_not_passed_over_at_a_start() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let apart = Apart::start(&pair, "cut_off_alone", &["--mode", "redis"]);
    let mut client = apart.respg.connect();
    assert_eq!(client.plain("SET k 1"), ok());
    apart.cut();
    assert_eq!(client.plain("DEL k"), 1);
    let why = pair.refusal(&["--mode", "postgres"]);
    assert!(why.contains(CUT_OFF) && why.contains("RESPG.MODE SET postgres FORCE"), "{why}");
    assert_eq!(client.plain("INCR k"), 1);
    assert_eq!(client.plain("DEL k"), 1);
    drop(apart);
    let respg = pair.respg(0, &["--mode", "postgres"]);
    assert_eq!(respg.connect().plain("GET k"), Value::Null);
}

/// Nor does one that begins pass anything on before it is entered, neither on a client's own connection.
#[test]
fn who_begins_is_entered_first() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let _first = pair.respg(0, &["--mode", "redis"]);
    redis.signal(Signal::STOP);
    let respg = pair.respg(1, &[]);
    let mut client = respg.connect();
    client.send(["BLPOP nothing 0.01", "RPUSH list a"]);
    blocking(async {
        let mut postgres = pg::connect(&pair.database).await;
        let locked = postgres.transaction().await.expect("begun");
        locked.batch_execute("LOCK TABLE respg.passing_processes IN EXCLUSIVE MODE").await.expect("locked");
        redis.signal(Signal::CONT);
        sleep(Duration::from_millis(1500));
        assert_eq!(redis.connect().plain("EXISTS list"), 0);
    });
    // Or, if all of this has taken longer than somebody who connects waits, that it is not there.
    for wanted in [Value::Null, Value::from(1)] {
        let said = client.read();
        assert!(said == wanted || said.to_string_lossy().starts_with("-LOADING"), "{said:?}");
    }
}

/// Who was away from the Redis for so long that it may have been taken for gone asks Postgres before it goes on, also for what had connections of its own.
#[test]
fn who_was_away_from_both_asks_before_it_goes_on() {
    let pair = Pair::new(PROGRAMS[0]);
    let mut redis = pair.redis();
    let apart = Apart::start(&pair, "away_from_both", &["--mode", "redis"]);
    let mut client = apart.respg.connect();
    assert_eq!(client.plain("SET k 1"), ok());
    apart.cut();
    // Not for long: nobody can have taken it for gone.
    redis.connect().plain("CLIENT KILL TYPE normal SKIPME yes");
    until(&mut client, "SET k 1", &ok());
    redis.kill();
    sleep(Duration::from_secs(5));
    let _redis = pair.redis();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        let said = client.plain("GET k");
        assert!(matches!(said, Value::Error(_)), "{said:?}");
        sleep(Duration::from_millis(100));
    }
    let why = refusal(&mut client, "GET k");
    assert!(
        why.starts_with("LOADING the upstream Redis: ") && why.contains("it is not known who answers"),
        "{why}"
    );
    apart.mend();
    until(&mut client, "SET k 2", &ok());
}

/// Who may not ask the Redis who is there has to say that nobody is.
#[test]
fn without_client_list() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    assert_eq!(redis.connect().plain("ACL SETUSER default -client|list"), ok());
    let respg = pair.respg(0, &["--mode", "redis"]);
    let mut killed = pair.respg(1, &[]);
    assert_eq!(killed.connect().plain("SET k 1"), ok());
    killed.kill();
    let mut admin = respg.connect();
    assert_eq!(admin.plain("DEL k"), 1);
    let why = refusal(&mut admin, "RESPG.MODE SET postgres");
    assert!(why.contains("cannot be asked") && why.contains("NOPERM") && why.contains("FORCE"), "{why}");
    assert_eq!(admin.plain("RESPG.MODE SET postgres FORCE"), ok());
    assert_eq!(admin.plain("RESPG.MODE SET redis FORCE"), ok());
    // It was forgotten.
    assert_eq!(admin.plain("RESPG.MODE SET postgres"), ok());
}

/// Nor does who may no longer have a name go on without having said so.
#[test]
fn who_has_lost_its_name_asks_before_it_goes_on() {
    let pair = Pair::new(PROGRAMS[0]);
    let redis = pair.redis();
    let respg = pair.respg(0, &["--mode", "redis"]);
    let apart = Apart::start(&pair, "nameless", &[]);
    let (mut admin, mut client) = (respg.connect(), apart.respg.connect());
    assert_eq!(client.plain("SET k 1"), ok());
    apart.cut();
    let mut upstream = redis.connect();
    assert_eq!(upstream.plain("ACL SETUSER default -client|setname"), ok());
    upstream.plain("CLIENT KILL TYPE normal SKIPME yes");
    sleep(Duration::from_millis(500));
    let why = refusal(&mut client, "INCR k");
    assert!(why.contains("it is not known who answers"), "{why}");
    apart.mend();
    until(&mut client, "SET k 1", &ok());
    assert_eq!(client.plain("DEL k"), 1);
    apart.cut();
    let why = refusal(&mut admin, "RESPG.MODE SET postgres");
    assert!(why.contains("NOPERM") || why.contains("has no name in the upstream"), "{why}");
}

/// What a process that was killed has given Postgres to do is not done after a change.
#[test]
fn the_sessions_of_who_was_killed_are_ended() {
    let pair = Pair::new(PROGRAMS[0]);
    let _redis = pair.redis();
    let respg = pair.settled(0, &["--mode", "shadow"]);
    let mut killed = pair.respg_by(&pair.named("killed"), 1, &[]);
    assert_eq!(killed.connect().plain("SET n 1"), ok());
    settle(&killed);
    let stopped = sessions(&pair.database, "killed");
    let signal =
        |signal| stopped.iter().for_each(|session| kill_process(*session, signal).expect("a session"));
    signal(Signal::STOP);
    assert_eq!(killed.connect().plain("SET n 100"), ok());
    sleep(Duration::from_millis(200));
    killed.kill();
    let mut admin = respg.connect();
    let why = refusal(&mut admin, "RESPG.MODE SET postgres");
    assert!(why.contains("PostgreSQL has not ended its sessions"), "{why}");
    signal(Signal::CONT);
    // Without a pause: not in the moment either in which somebody begins to do what it has left undone.
    let begun = Instant::now();
    while admin.plain("RESPG.MODE SET postgres") != ok() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(admin.plain("INCR n"), 101);
}
