//! Small programs that race for one anomaly each (G3, G4, G5), in the manner of the litmus tests of memory models.
//!
//! Every round uses new keys: `before` prepares them, then each client sends its program in one write at the same
//! moment, clients being spread over the servers; then everything is read. The checker knows which outcomes are
//! possible, so the table only says where to look.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::history::History;
use super::model::Program;
use super::recorder::Recorder;
use super::workload::Rng;

pub struct Litmus {
    name: &'static str,
    before: &'static str,
    clients: &'static [&'static str],
    /// The longest time between the preparation and the race, in microseconds.
    later: u64,
}

const fn litmus(name: &'static str, before: &'static str, clients: &'static [&'static str]) -> Litmus {
    Litmus { name, before, clients, later: 0 }
}

/// A race about the moment when a value goes away that `before` gave a time to live of 10 ms.
pub const fn at_expiry(name: &'static str, before: &'static str, clients: &'static [&'static str]) -> Litmus {
    Litmus { name, before, clients, later: 12_000 }
}

pub const TABLE: &[Litmus] = &[
    // Each client must see the other's write if the other did not see its own.
    litmus("store buffering, absent keys", "", &["SET x 1; GET y", "SET y 1; GET x"]),
    litmus("store buffering, present keys", "MSET x 0 y 0", &["SET x 1; GET y", "SET y 1; GET x"]),
    litmus("store buffering, snapshots", "", &["SET x 1; MGET y x", "SET y 1; MGET x y"]),
    litmus("store buffering, counters", "", &["INCR x; GET y", "INCR y; GET x"]),
    litmus("store buffering, deletes", "MSET x 0 y 0", &["DEL x; EXISTS y", "DEL y; EXISTS x"]),
    litmus("store buffering, SET NX", "", &["SET x 1 NX; SET y 2 NX", "SET y 1 NX; SET x 2 NX"]),
    litmus("store buffering, write then EXEC", "", &["SET x 1; [GET y]", "[SET y 1]; GET x"]),
    litmus("store buffering, three clients", "", &["SET x 1; GET y", "SET y 1; GET z", "SET z 1; GET x"]),
    litmus(
        "store buffering, refused writes",
        "MSET x 0 y 0",
        &["SET x 1; SET y 2 NX GET", "SET y 1; SET x 2 NX GET"],
    ),
    // Who sees the second write sees the first.
    litmus("message passing", "", &["SET x 1; SET y 1", "GET y; GET x", "MGET y x"]),
    litmus(
        "message passing, overwrites",
        "MSET x 0 y 0",
        &["SET x 1; SET y 1; SET x 2", "GET y; GET x", "MGET x y"],
    ),
    litmus("message passing, append then incr", "", &["APPEND x a; INCR y", "GET y; STRLEN x", "MGET x y"]),
    litmus("message passing, delete then set", "SET x 1", &["DEL x; SET y 1", "GET y; GET x", "MGET x y"]),
    litmus(
        "message passing, EXEC then set",
        "",
        &["[SET x 1; SET z 1]; SET y 1", "GET y; MGET x z", "MGET x y z"],
    ),
    litmus(
        "message passing, set then EXEC",
        "",
        &["SET x 1; [SET y 1; SET z 1]", "GET z; GET x; GET y", "[GET x; GET z]"],
    ),
    litmus("message passing through a third", "", &["SET x 1", "GET x; SET y 1", "GET y; GET x"]),
    litmus("load buffering", "", &["GET x; SET y 1", "GET y; SET x 1"]),
    // Readers agree on the order of independent writes.
    litmus("independent reads", "", &["SET x 1", "SET y 1", "GET x; GET y", "GET y; GET x"]),
    litmus("long fork", "", &["SET x 1", "SET y 1", "MGET x y", "MGET y x"]),
    litmus(
        "long fork, present keys",
        "MSET x 0 y 0",
        &["INCR x", "INCR y", "MGET x y; MGET x y", "MGET y x"],
    ),
    litmus("long fork, EXEC", "", &["[SET x 1]", "[SET y 1]", "[GET x; GET y]", "[GET y; GET x]"]),
    litmus(
        "long fork, three writes",
        "",
        &["SET x 1; SET z 1", "SET y 1; SET z 2", "MGET x y z", "MGET z y x"],
    ),
    // Reading one key and writing another, both ways.
    litmus("write skew, absent keys", "", &["[GET x; SET y 1]", "[GET y; SET x 1]"]),
    litmus("write skew, present keys", "MSET x 0 y 0", &["[GET x; SET y 1]", "[GET y; SET x 1]"]),
    litmus("write skew, EXISTS", "", &["[EXISTS x; INCR y]", "[EXISTS y; INCR x]", "[MGET x y]"]),
    litmus("write skew, WATCH", "", &["?x,y[SET x 1]", "?x,y[SET y 1]"]),
    litmus("write skew, WATCH one, write other", "MSET x 0 y 0", &["?x[SET y 1]", "?y[SET x 1]"]),
    litmus("write skew, MSETNX", "", &["MSETNX x 1 y 1", "MSETNX y 2 z 2", "MSETNX z 3 x 3"]),
    litmus("MSETNX against SET", "", &["MSETNX x 1 y 1", "SET y 2", "MGET y x"]),
    litmus(
        "a reader shows the order",
        "MSET x 0 y 0",
        &["[GET y; SET y 2]", "[GET x; GET y; SET x 1]", "MGET x y"],
    ),
    litmus(
        "a reader shows the order, absent",
        "",
        &["SET y 2", "[GET x; GET y; SET x 1]", "MGET x y; MGET y x"],
    ),
    // Locks taken in opposite orders.
    litmus("deadlock, MSET and EXEC", "", &["[SET x 1; SET y 1]", "[SET y 2; SET x 2]", "MSET y 3 x 3"]),
    litmus("deadlock, RENAME", "MSET x 1 y 2", &["RENAME x y", "RENAME y x", "MGET x y"]),
    litmus(
        "deadlock, pipelines",
        "MSET x 0 y 0",
        &["INCR x; INCR y", "INCR y; INCR x", "MGET x y", "DEL y x"],
    ),
    litmus(
        "deadlock, absent pipelines",
        "",
        &["INCR x; INCR y; DEL x", "INCR y; INCR x; DEL y", "[DEL x; INCR y]"],
    ),
    // Keys that come and go.
    litmus("delete of two", "MSET x 0 y 0", &["DEL x y", "SET x 1; GET y", "MGET x y"]),
    litmus("delete of two, absent", "", &["DEL x y", "SET x 1; SET y 1", "MGET y x; MGET x y"]),
    litmus("delete of two, twice", "MSET x 0 y 0", &["DEL x y", "DEL y x", "EXISTS x y"]),
    litmus(
        "two absences",
        "SET y 1",
        &["DEL z y x; GET x", "RENAME y z", "RENAME z x; RENAME x y", "GETDEL x; EXISTS z y"],
    ),
    litmus(
        "two absences in MULTI",
        "SET x 1",
        &["[DEL y z x]", "[RENAME x y]; RENAME y z", "DEL z y x", "RENAME z x"],
    ),
    litmus("rename", "SET x 1", &["RENAME x y", "SET x 2; GET y", "MGET x y; MGET y x", "DEL y"]),
    litmus("one taker", "SET x 1", &["GETDEL x", "GETDEL x", "GETDEL x", "[GET x; DEL x]"]),
    litmus("one winner", "", &["SET x 1 NX", "SET x 2 NX", "SET x 3 NX; DEL x", "MSETNX x 4 y 4"]),
    litmus("first of its key", "", &["INCR x", "INCR x", "APPEND x 5", "SET x 1 GET"]),
    litmus("first of its key, with deletes", "", &["INCR x; DEL x", "INCR x; GET x", "DEL x; INCR x"]),
    litmus("chain of GETSET", "", &["GETSET x 1", "GETSET x 2", "GETSET x 3", "SET x 4 GET"]),
    litmus(
        "lock of an absent key is not seen",
        "",
        &["[GET x; EXISTS x; GET y]", "EXISTS x y; MGET x y", "SET x 1 NX"],
    ),
    litmus(
        "came and went unseen",
        "SET y 0",
        &["INCR x; DEL x; GET y", "SET x 5; INCR y", "[SET x 7; INCR y]", "DEL x"],
    ),
    litmus(
        "came and went in MULTI",
        "SET y 0",
        &["[SET x 1; DEL x; EXISTS x; GET y]", "SET x 5; INCR y", "INCR y; INCR x"],
    ),
    litmus(
        "absent beside a lock",
        "SET y 0",
        &["INCR y; GET x; EXISTS z", "[INCR y; SET x 1; SET z 1]", "[INCR y; DEL x z]"],
    ),
    litmus(
        "replaced, never absent",
        "SET x 1",
        &["[DEL x; SET x 2]", "SET x 3 XX", "GETDEL x; SET x 4", "EXISTS x; INCR y; GET x"],
    ),
    // The same with transactions that run on a connection of their own.
    litmus(
        "replaced off the lanes",
        "SET x 1",
        &["[DEL x; CLIENT GETNAME; SET x 2]", "GETDEL x", "SET x 3 XX", "PEXPIRE x 100000"],
    ),
    litmus(
        "write skew off the lanes",
        "",
        &["[GET x; CLIENT GETNAME; SET y 1]", "[GET y; SET x 1]", "MGET x y; MGET y x"],
    ),
    litmus(
        "deadlock off the lanes",
        "SET y 0",
        &["[INCR y; CLIENT GETNAME; INCR x]", "[INCR x; CLIENT GETNAME; INCR y]", "INCR y; DEL x"],
    ),
    litmus(
        "WATCH off the lanes",
        "SET x 0",
        &["?x,y[INCR x; CLIENT GETNAME; SET y 1]", "?y[SET y 2; CLIENT GETNAME]", "SET x 5; DEL y"],
    ),
    litmus("absent key under WATCH", "", &["?x[SET y 1]", "SET x 1; DEL x", "MGET x y"]),
    litmus("watched key comes back", "SET x 1", &["?x[SET y 1]", "DEL x; SET x 1", "MGET x y"]),
    litmus("own write under WATCH", "SET x 1", &["?x[INCR x]", "?x[INCR x]", "INCR x"]),
    // One connection, one order.
    litmus(
        "reads its own writes",
        "",
        &["SET x 1; GET x; SET x 2; GET x; DEL x; GET x", "SET x 3; GET x", "MGET x y"],
    ),
    litmus(
        "reads between its writes",
        "",
        &["SET x 1; MGET x y; SET y 1; MGET x y", "DEL x; EXISTS x y", "SET y 2"],
    ),
    litmus(
        "EXEC between its writes",
        "",
        &["INCR x; [INCR x; GET y]; INCR x", "INCR x; INCR y", "[MGET x y; INCR y]"],
    ),
];

struct Team {
    table: &'static [Litmus],
    number: usize,
    servers: Vec<SocketAddr>,
    seed: u64,
}

/// Plays the table over and over with several teams at once; returns how many rounds were played.
pub async fn play(
    table: &'static [Litmus],
    servers: &[SocketAddr],
    budget: Duration,
    seed: u64,
) -> Result<String, String> {
    let mut teams = JoinSet::new();
    for number in 0..6 {
        let team = Team { table, number, servers: servers.to_vec(), seed };
        teams.spawn(team.play(Instant::now() + budget));
    }
    let mut rounds = 0;
    while let Some(team) = teams.join_next().await {
        rounds += team.map_err(|error| error.to_string())??;
    }
    Ok(format!("{rounds} rounds of {} races show no anomaly", table.len()))
}

impl Team {
    async fn play(self, end: Instant) -> Result<usize, String> {
        let mut rng = Rng(self.seed ^ self.number as u64);
        let mut rounds = 0;
        // Each visit to a line of the table keeps its connections for some rounds; the next gets others.
        while Instant::now() < end {
            let lines = self.table.len();
            let litmus = &self.table[(rounds / 4 + self.number * lines / 6) % lines];
            let history = History::new();
            let first = rng.below(4) as usize;
            let mut clients: Vec<Recorder> = (0..litmus.clients.len())
                .map(|number| Recorder::new(&history, first + number, &self.servers))
                .collect();
            for _ in 0..4 {
                let keys = format!("race:{:x}:{}:{}:{rounds}:", self.seed, self.table.len(), self.number);
                round(litmus, &keys, &mut clients, &mut rng).await;
                history.check().map_err(|text| format!("{}: {text}", litmus.name))?;
                rounds += 1;
            }
        }
        Ok(rounds)
    }
}

async fn round(litmus: &Litmus, keys: &str, clients: &mut [Recorder], rng: &mut Rng) {
    clients[0].run(keys, &Program::parse_all(litmus.before)).await;
    let together = rng.below(2) == 0;
    let later = litmus.later / 3 + rng.below(litmus.later * 2 / 3 + 1);
    let begin = Instant::now() + Duration::from_micros(later);
    tokio::time::sleep(Duration::from_micros(later.saturating_sub(2_000))).await;
    join_all(clients.iter_mut().zip(litmus.clients).map(|(client, text)| {
        let start =
            begin + Duration::from_micros(if together { 0 } else { rng.below(800 + litmus.later / 4) });
        async move {
            while Instant::now() < start {
                tokio::task::yield_now().await;
            }
            client.run(keys, &Program::parse_all(text)).await
        }
    }))
    .await;
    let last = rng.below(clients.len() as u64) as usize;
    clients[last].run(keys, &Program::parse_all("MGET x y z")).await;
}
