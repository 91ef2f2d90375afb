//! From a live Redis to Postgres and back: `respg import`, `verify`, `export`.

use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;

use crate::support::client::Client;

mod away;
mod crashes;
mod handed_over;
mod import;
mod interrupted;
mod recall;
mod versions;
mod writers;

/// Prepares one of the program's tasks.
fn task(name: &str, redis: &str, database: &str, options: &[&str]) -> Command {
    let mut respg = Command::new(env!("CARGO_BIN_EXE_respg"));
    respg.args([name, redis]).args(options).env("RESPG_DATABASE_URL", database).stdin(Stdio::null());
    respg
}

/// What a task said, and its exit code.
fn run(name: &str, redis: &str, database: &str, options: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } = task(name, redis, database, options).output().expect("respg");
    let said = [stdout, stderr].concat();
    (status.code().expect("it was not killed"), String::from_utf8(said).expect("text"))
}

/// `respg verify --json`, patient enough for a loaded machine only where something differs.
fn verify(redis: &str, database: &str, options: &[&str]) -> (i32, Json) {
    let options = [&["--json", "--settle", "600"], options].concat();
    let Output { status, stdout, stderr } =
        task("verify", redis, database, &options).output().expect("respg");
    let json = serde_json::from_slice(&stdout);
    let json = json.unwrap_or_else(|_| panic!("{}", String::from_utf8(stderr).expect("text")));
    (status.code().expect("it was not killed"), json)
}

/// Sends lines; none may fail.
fn all(client: &mut Client, lines: &[&str]) {
    for line in lines {
        let reply = client.plain(*line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
}

/// Some of every type, with everything that it can have.
fn fill(client: &mut Client) {
    fill_any(client);
    all(client, &["XADD ahead 1-1 a b", "XSETID ahead 9-9 ENTRIESADDED 30 MAXDELETEDID 4-4"]);
}

/// With what all versions of Redis have.
fn fill_any(client: &mut Client) {
    all(client, &["SET text some", "SET number 2.50", "SET soon 1 PX 600000", "SETBIT bits 100 1"]);
    client.plain([b"SET".as_slice(), b"\0binary\xff", b"\r\n\xfe"]);
    client.plain(["SET", "large", &"x".repeat(3_000_000)]);
    client.plain(["SET", &"k".repeat(2000), "long key"]);
    all(client, &["SELECT 5", "SET other 1", "SELECT 0"]);
    for i in 1..=20 {
        client.plain(format!("XADD stream {i}-1 field {i} other x").as_str());
    }
    all(
        client,
        &[
            "XGROUP CREATE stream group 0",
            "XGROUP CREATE stream at-end $",
            "XREADGROUP GROUP group alice COUNT 5 STREAMS stream >",
            "XREADGROUP GROUP group bob COUNT 5 STREAMS stream >",
            "XCLAIM stream group bob 0 6-1 7-1 RETRYCOUNT 7 TIME 1600000000000 JUSTID",
            "XREADGROUP GROUP at-end idle COUNT 1 STREAMS stream 0",
            "XACK stream group 2-1",
            // Pending, but gone: at the front, by trimming and by deleting; and in the middle.
            "XDEL stream 3-1 7-1 15-1",
            "XTRIM stream MAXLEN 15",
            "PEXPIRE stream 900000",
            "XADD emptied 5-5 a b",
            "XDEL emptied 5-5",
            "XGROUP CREATE made-empty group 0 MKSTREAM",
            "XGROUP CREATE bare group 0 MKSTREAM",
            "XGROUP DESTROY bare group",
            "XADD trimmed 1-1 a b",
            "XGROUP CREATE trimmed group 0",
            "XREADGROUP GROUP group alice STREAMS trimmed >",
            "XTRIM trimmed MAXLEN 0",
        ],
    );
    // Read in pieces, written in pieces.
    client.send((1..=12_000).map(|i| format!("XADD long {i} n {i}")).map(|line| {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        words
    }));
    (0..12_000).for_each(|_| assert!(!client.read().is_error()));
    all(client, &["XGROUP CREATE long group 0", "XREADGROUP GROUP group a COUNT 1500 STREAMS long >"]);
}
