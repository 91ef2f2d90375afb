//! Several processes over one database.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use super::{block, blocked_clients, ids, make_group, until_blocked};
use crate::support::client::{Client, Value, error, ok};
use crate::support::pg::{connect, fresh_database};
use crate::support::respg::{Respg, blocking};

fn two() -> (Respg, Respg) {
    let url = blocking(fresh_database());
    (Respg::on(&url, &[]), Respg::on(&url, &[]))
}

fn add(writer: &mut Client) {
    let id = writer.plain("XADD s * f v");
    assert!(!id.is_error(), "{id:?}");
}

/// How many entries of the group are pending.
fn pending(client: &mut Client) -> usize {
    let Value::Array(summary) = client.plain("XPENDING s g") else { panic!("no array") };
    summary[0].clone().integer() as usize
}

#[test]
fn a_write_wakes_clients_of_another_process() {
    let (here, there) = two();
    let (mut writer, mut admin) = (here.connect(), there.connect());
    let (mut reader, mut worker) = (there.connect(), there.connect());
    make_group(&mut writer, "s");
    let mut times = Vec::new();
    for round in 0..30 {
        block(&mut admin, &mut reader, "XREAD BLOCK 0 STREAMS s $");
        block(&mut admin, &mut worker, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        // Long enough for the announcement.
        sleep(Duration::from_millis(if round == 0 { 300 } else { 20 }));
        let begun = Instant::now();
        add(&mut writer);
        assert_eq!([ids(reader.read()).len(), ids(worker.read()).len()], [1, 1]);
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "woken in another process after {:?}, at most {:?}",
        times[times.len() / 2],
        times[times.len() - 1]
    );
    // Without signals it would be half a second on average.
    assert!(times[times.len() / 2] < Duration::from_millis(200));
}

/// Called by a write of another process during a pause, so on its way to another attempt, which the pause holds back.
#[test]
fn client_unblock_and_kill_during_a_pause() {
    let (here, there) = two();
    let (mut writer, mut admin) = (here.connect(), there.connect());
    make_group(&mut writer, "s");
    for what in ["UNBLOCK"; 6].into_iter().chain(["KILL ID"]) {
        let mut worker = there.connect();
        let id = worker.plain("CLIENT ID").integer();
        block(&mut admin, &mut worker, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        worker.send(["SET behind 1"]);
        assert_eq!(admin.plain("CLIENT PAUSE 60000 WRITE"), ok());
        add(&mut writer);
        sleep(Duration::from_millis(500));
        let begun = Instant::now();
        assert_eq!(admin.plain(format!("CLIENT {what} {id}").as_str()), 1);
        match what {
            "UNBLOCK" => assert_eq!(worker.read(), Value::Null),
            _ => assert!(worker.is_closed()),
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        // What came behind it is held back, but not forgotten.
        sleep(Duration::from_millis(100));
        assert_eq!(admin.plain("CLIENT UNPAUSE"), ok());
        if what == "UNBLOCK" {
            assert_eq!(worker.read(), ok());
        }
        // Whoever comes gets the entry.
        assert_eq!(pending(&mut writer), 0);
        assert_eq!(ids(there.connect().plain("XREADGROUP GROUP g d STREAMS s >")).len(), 1);
        writer.plain("XGROUP DESTROY s g");
        writer.plain("XGROUP CREATE s g $");
    }
}

/// Block and write meet in every possible way: before, during and after the announcement, while it lingers, after it is withdrawn.
#[test]
fn no_wake_up_is_lost() {
    let (here, there) = two();
    let (mut writer, mut worker) = (here.connect(), there.connect());
    make_group(&mut writer, "s");
    let mut slowest = Duration::ZERO;
    for round in 0..400_u64 {
        worker.send(["XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >"]);
        sleep(Duration::from_micros(round * 7919 % 30_000 / (1 + round % 3)));
        let begun = Instant::now();
        add(&mut writer);
        assert_eq!(ids(worker.read()).len(), 1);
        slowest = slowest.max(begun.elapsed());
    }
    println!("slowest wake-up: {slowest:?}");
    // One that is lost for good would not be found at all, one that waits for the poll in a second.
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn many_writers_and_waiters_of_one_process_lose_nothing() {
    const EACH: usize = 150;
    let respg = Respg::start(&["--threads", "2"]);
    make_group(&mut respg.connect(), "s");
    scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut worker = respg.connect();
                    for _ in 0..EACH {
                        let call = "XREADGROUP GROUP g c COUNT 1 BLOCK 15000 STREAMS s >";
                        assert_eq!(ids(worker.plain(call)).len(), 1, "nobody sleeps while there is work");
                    }
                })
            })
            .collect();
        for _ in 0..4 {
            scope.spawn(|| {
                let mut writer = respg.connect();
                (0..EACH).for_each(|_| add(&mut writer));
            });
        }
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    assert_eq!(pending(&mut respg.connect()), 4 * EACH);
}

#[test]
fn a_killed_process_takes_nothing_with_it() {
    let (here, there) = two();
    let mut admin = here.connect();
    make_group(&mut admin, "s");
    let mut doomed = there.connect();
    block(&mut there.connect(), &mut doomed, "XREADGROUP GROUP g doomed BLOCK 0 STREAMS s >");
    let mut worker = here.connect();
    block(&mut admin, &mut worker, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    sleep(Duration::from_millis(200));
    // SIGKILL.
    drop(there);
    add(&mut admin);
    assert_eq!(ids(worker.read()).len(), 1);
    assert_eq!(pending(&mut admin), 1);
}

#[test]
fn a_group_that_goes_tells_its_readers_in_another_process() {
    let database = blocking(fresh_database());
    let (here, there) = (Respg::on(&database, &[]), Respg::on(&database, &[]));
    let (mut admin, mut reader) = (here.connect(), there.connect());
    let no_group = error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option");
    for behind_their_back in [false, true] {
        assert!(!admin.plain("DEL s").is_error());
        make_group(&mut admin, "s");
        block(&mut there.connect(), &mut reader, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        // Until the back-stop has looked at this stream, with its group: it is looked at anew every second.
        sleep(Duration::from_millis(2500));
        if behind_their_back {
            // As after a signal that was lost.
            blocking(async {
                let sql = connect(&database).await;
                sql.execute("DELETE FROM respg.stream_groups", &[]).await.unwrap();
            });
        } else {
            assert_eq!(admin.plain("XGROUP DESTROY s g"), 1);
        }
        assert_eq!(reader.read(), no_group);
    }
}

#[test]
fn what_sql_and_other_processes_do_to_databases_is_noticed() {
    let (here, there) = two();
    let (mut writer, mut admin) = (here.connect(), there.connect());
    let mut reader = there.connect();
    writer.select(1);
    assert!(!writer.plain("XADD s 1-1 f v").is_error());
    block(&mut admin, &mut reader, "XREAD BLOCK 0 STREAMS s 0");
    sleep(Duration::from_millis(100));
    assert_eq!(writer.plain("SWAPDB 0 1"), ok());
    assert_eq!(ids(reader.read()), ["1-1"]);
    until_blocked(&mut admin, 0);
    assert_eq!(blocked_clients(&mut admin), 0);
}
