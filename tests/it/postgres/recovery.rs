use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use respg::postgres::OwnPostgres;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::sleep;

use crate::support::pg::{self, Scratch};

fn postmaster(home: &Path) -> Pid {
    let text = fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

async fn gone(pid: Pid) {
    for _ in 0..1000 {
        if test_kill_process(pid).is_err() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("process {} is still there", pid.as_raw_pid());
}

async fn write(url: &str) {
    let client = pg::connect(url).await;
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
}

async fn read(url: &str) -> i32 {
    let client = pg::connect(url).await;
    client.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0)
}

/// The server programs of a running postmaster.
fn programs(postmaster: Pid) -> PathBuf {
    let program = fs::read_link(format!("/proc/{}/exe", postmaster.as_raw_pid())).unwrap();
    program.parent().unwrap().to_path_buf()
}

/// What a killed respg could leave behind: its Postgres, running on its own.
fn start_without_respg(programs: &Path, home: &Path) -> Pid {
    let owner = fs::metadata(home.join("data")).unwrap();
    let mut pg_ctl = Command::new(programs.join("pg_ctl"));
    if rustix::process::geteuid().is_root() {
        pg_ctl.uid(owner.uid()).gid(owner.gid());
    }
    pg_ctl.arg("start").arg("-D").arg(home.join("data")).args(["-w", "-s", "-l", "/dev/null", "-o"]);
    pg_ctl.arg(format!("-k {}", home.join("socket").display()));
    let started = pg_ctl.current_dir(home).stdin(Stdio::null()).status().unwrap();
    assert!(started.success());
    postmaster(home)
}

fn url_of(home: &Path) -> String {
    format!("postgresql://respg@{}/respg", home.join("socket").display().to_string().replace('/', "%2F"))
}

#[tokio::test]
async fn a_killed_postmaster_is_started_again() {
    let scratch = Scratch::new();
    let postgres = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap();
    write(postgres.url()).await;
    let first = postmaster(scratch.path());
    kill_process(first, Signal::KILL).unwrap();
    gone(first).await;
    for attempt in 0.. {
        match tokio_postgres::connect(postgres.url(), tokio_postgres::NoTls).await {
            Ok(_) => break,
            Err(error) => assert!(attempt < 300, "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_ne!(postmaster(scratch.path()), first);
    assert_eq!(read(postgres.url()).await, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_dropped_postgres_stops() {
    let scratch = Scratch::new();
    let postgres = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap();
    let pid = postmaster(scratch.path());
    drop(postgres);
    gone(pid).await;
    assert!(!scratch.path().join("data/postmaster.pid").exists(), "a clean shutdown");
}

#[tokio::test]
async fn a_postgres_left_behind_is_taken_over() {
    let scratch = Scratch::new();
    let options = pg::options(scratch.path());
    let postgres = OwnPostgres::start(&options).await.unwrap();
    let programs = programs(postmaster(scratch.path()));
    write(postgres.url()).await;
    postgres.stop().await.unwrap();
    let orphan = start_without_respg(&programs, scratch.path());

    let postgres = OwnPostgres::start(&options).await.unwrap();
    gone(orphan).await;
    assert_eq!(read(postgres.url()).await, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_postgres_that_was_killed_recovers_at_the_next_start() {
    let scratch = Scratch::new();
    let options = pg::options(scratch.path());
    let postgres = OwnPostgres::start(&options).await.unwrap();
    let programs = programs(postmaster(scratch.path()));
    postgres.stop().await.unwrap();
    let orphan = start_without_respg(&programs, scratch.path());
    write(&url_of(scratch.path())).await;
    kill_process(orphan, Signal::KILL).unwrap();
    gone(orphan).await;

    let postgres = OwnPostgres::start(&options).await.unwrap();
    assert_eq!(read(postgres.url()).await, 42);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn the_process_number_in_a_stale_file_may_belong_to_anybody() {
    let scratch = Scratch::new();
    let options = pg::options(scratch.path());
    OwnPostgres::start(&options).await.unwrap().stop().await.unwrap();
    let owner = fs::metadata(scratch.path().join("data")).unwrap();
    let mut bystander = Command::new("sleep");
    if rustix::process::geteuid().is_root() {
        bystander.uid(owner.uid()).gid(owner.gid());
    }
    let mut bystander = bystander.arg("60").spawn().unwrap();
    let data = fs::canonicalize(scratch.path().join("data")).unwrap();
    let stale = format!("{}\n{}\n1700000000\n5432\n/tmp\n\n\n", bystander.id(), data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();

    let postgres = OwnPostgres::start(&options).await.unwrap();
    assert_eq!(bystander.try_wait().unwrap(), None, "the bystander lives");
    postgres.stop().await.unwrap();
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[tokio::test]
async fn an_interrupted_initdb_is_done_again() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path().join("data.new")).unwrap();
    fs::write(scratch.path().join("data.new/PG_VERSION"), "15\n").unwrap();
    let postgres = OwnPostgres::start(&pg::options(scratch.path())).await.unwrap();
    write(postgres.url()).await;
    assert!(!scratch.path().join("data.new").exists());
    postgres.stop().await.unwrap();
}
