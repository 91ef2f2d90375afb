//! Postgres crashes, several times, in the middle of a task; what it had not logged is gone when it is back.

use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{all, task, verify};
use crate::shadow::Shadow;
use crate::support::pg::connect;
use crate::support::redis::Redis;
use crate::support::respg::blocking;
use crate::support::tcp_postgres::TcpPostgres;

const KEYS: usize = 50_000;

/// Who loses a process ends all others and recovers.
fn crash(url: &str) {
    let pid: i32 = blocking(async {
        let postgres = connect(url).await;
        let one = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        postgres.query_one(one, &[]).await.expect("a process").get(0)
    });
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("it is there");
}

fn wait_for(url: &str) {
    blocking(async {
        while tokio_postgres::connect(url, tokio_postgres::NoTls).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

/// What a task says while Postgres crashes three times, and its exit code.
fn run_through(name: &str, redis: &str, url: &str, options: &[&str]) -> (i32, String) {
    let mut task = task(name, redis, url, options);
    let mut child = task.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("respg");
    for _ in 0..3 {
        sleep(Duration::from_millis(700));
        assert!(child.try_wait().expect("our child").is_none(), "too fast to be disturbed");
        crash(url);
        sleep(Duration::from_millis(100));
        wait_for(url);
    }
    let output = child.wait_with_output().expect("respg");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it was not killed"), String::from_utf8(said).expect("text"))
}

#[test]
fn tasks_go_on_after_crashes_of_postgres() {
    let postgres = TcpPostgres::start(&[], &[], &["host all all 127.0.0.1/32 trust"]);
    let url = format!("postgresql://respg@127.0.0.1:{}/respg", postgres.port());
    let redis = Redis::start();
    let address = redis.url();
    let mut client = redis.connect();
    for keys in (0..KEYS).collect::<Vec<_>>().chunks(1000) {
        client.send(keys.iter().map(|key| ["SET".to_owned(), format!("key:{key}"), "x".repeat(key % 300)]));
        keys.iter().for_each(|_| assert!(!client.read().is_error()));
    }
    let shadow = Shadow::on(redis, url.clone(), &[]);
    shadow.settle();
    let (code, said) = run_through("import", &address, &url, &[]);
    assert!((code, said.contains(&format!("imported {KEYS} keys"))) == (0, true), "{said}");
    shadow.settle();
    blocking(async {
        let wrong = "DELETE FROM respg.keys WHERE right(encode(key, 'escape'), 3) = '123'";
        connect(&url).await.batch_execute(wrong).await.expect("keys are gone");
    });
    let (code, said) = run_through("verify", &address, &url, &["--repair", "--settle", "600"]);
    assert!((code, said.contains(&format!("{}  repaired", KEYS / 1000))) == (0, true), "{said}");
    let (code, report) = verify(&address, &url, &[]);
    assert_eq!((code, report["keys"].as_u64()), (0, Some(KEYS as u64)), "{report:#}");
    let other = Redis::start();
    let (code, said) = run_through("export", &other.url(), &url, &[]);
    assert!((code, said.contains(&format!("exported {KEYS} keys"))) == (0, true), "{said}");
    let (code, said) = run_through("verify", &other.url(), &url, &[]);
    assert!(code == 0, "{said}");
    all(&mut shadow.respg.connect(), &["SET k v"]);
}
