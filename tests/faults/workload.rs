//! Random programs of many clients, all kinds at once so that the server batches them with each other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::history::History;
use super::model::Program;
use super::recorder::Recorder;

/// SplitMix64: the same seed gives the same programs.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// How many more programs a group gets when an outcome in it is unknown.
const HURRY: usize = 20;

pub struct Workload {
    pub name: &'static str,
    /// After so many programs the clients go on to new keys, so that unknown outcomes do not pile up.
    pub group_size: usize,
    pub longest_pipeline: u64,
    /// Each client rests up to so many milliseconds between pipelines.
    pub rest: u64,
    /// `$` in a template stands for a value that is used only once.
    pub templates: &'static [&'static str],
}

pub const REGISTER: Workload = Workload {
    name: "register",
    group_size: 600,
    longest_pipeline: 4,
    rest: 0,
    templates: &[
        "SET x $",
        "SET x $",
        "GET x",
        "GET x",
        "GET x",
        "GETSET x $",
        "GETDEL x",
        "SET x $ NX",
        "SET x $ XX",
        "SET x $ GET",
        "DEL x",
        "EXISTS x",
        "[GET x; SET x $; GET x]",
    ],
};

pub const COUNTER: Workload = Workload {
    name: "counter",
    group_size: 800,
    longest_pipeline: 6,
    rest: 0,
    templates: &[
        "INCR x",
        "INCR x",
        "INCR x",
        "DECRBY x 3",
        "INCRBY x 10",
        "DECR x",
        "GET x",
        "[INCR x; INCR x]",
    ],
};

pub const APPEND: Workload = Workload {
    name: "append",
    group_size: 150,
    longest_pipeline: 3,
    rest: 0,
    templates: &["APPEND x $,", "APPEND x $,", "GET x", "STRLEN x"],
};

pub const COMPARE_AND_SET: Workload = Workload {
    name: "compare-and-set",
    group_size: 400,
    longest_pipeline: 1,
    rest: 0,
    templates: &[
        "?x[SET x $]",
        "?x[SET x $]",
        "?x[INCR n]",
        "?x,y[SET y $; GET x]",
        "GET x",
        "SET x $",
        "DEL y",
    ],
};

/// Their time to live is longer than any run: owners take the lock again and again, and the checker knows a value that expires by its text only.
pub const LOCK: Workload = Workload {
    name: "lock",
    group_size: 400,
    longest_pipeline: 1,
    rest: 0,
    templates: &["SET x @ NX PX 36000000", "SET x @ NX PX 36000000", "?x=@[DEL x]", "?x=@[DEL x]", "GET x"],
};

pub const SEVERAL_KEYS: Workload = Workload {
    name: "several keys",
    group_size: 500,
    longest_pipeline: 3,
    rest: 0,
    templates: &[
        "MSET x $ y $",
        "MSET z $ x $",
        "MGET x y z",
        "MGET z y x",
        "DEL x y",
        "DEL z y x",
        "EXISTS x y z",
        "MSETNX x $ y $",
        "RENAME x y",
        "RENAME y z",
        "SET x $",
        "GET y",
        "[SET x $; SET y $]",
        "[GET z; SET x $; GET y]",
        "[GET x; DEL y]",
        "[MGET x y z]",
        "?x,y[SET z $]",
    ],
};

pub const ALL: [&Workload; 6] = [&REGISTER, &COUNTER, &APPEND, &COMPARE_AND_SET, &LOCK, &SEVERAL_KEYS];

impl Workload {
    fn pipeline(&self, rng: &mut Rng, client: usize, fresh: &AtomicUsize) -> Vec<Program> {
        (0..=rng.below(self.longest_pipeline)).flat_map(|_| self.program(rng, client, fresh)).collect()
    }

    /// Operations of unknown outcome make a group hard to check: it ends soon.
    fn hurry(&self, started: &AtomicUsize) {
        let soon = |now: usize| (now / self.group_size + 1) * self.group_size - HURRY;
        let _ = started
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < soon(now)).then(|| soon(now)));
    }

    fn program(&self, rng: &mut Rng, client: usize, fresh: &AtomicUsize) -> Vec<Program> {
        let mut text = String::new();
        for letter in rng.pick(self.templates).chars() {
            match letter {
                '$' => text.push_str(&format!("v{}", fresh.fetch_add(1, Ordering::Relaxed))),
                '@' => text.push_str(&format!("owner{client}")),
                letter => text.push(letter),
            }
        }
        Program::parse_all(&text)
    }
}

/// Clients that work until they are told to stop.
pub struct Load {
    tasks: JoinSet<usize>,
    stop: Arc<AtomicBool>,
    pub answered: Arc<AtomicUsize>,
}

impl Load {
    pub fn start(
        history: &Arc<History>,
        servers: &[SocketAddr],
        workloads: &[&'static Workload],
        clients: usize,
        seed: u64,
    ) -> Self {
        let mut load = Load { tasks: JoinSet::new(), stop: Arc::default(), answered: Arc::default() };
        let fresh = Arc::new(AtomicUsize::new(0));
        for &workload in workloads {
            let started = Arc::new(AtomicUsize::new(0));
            for _ in 0..clients {
                let number = load.tasks.len();
                let mut recorder = Recorder::new(history, number, servers);
                let mut rng = Rng(seed ^ (number as u64) << 32);
                let (fresh, started) = (fresh.clone(), started.clone());
                let (stop, answered) = (load.stop.clone(), load.answered.clone());
                load.tasks.spawn(async move {
                    let mut total = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let programs = workload.pipeline(&mut rng, number, &fresh);
                        let group =
                            started.fetch_add(programs.len(), Ordering::Relaxed) / workload.group_size;
                        let keys = format!("{}:{seed:x}:{group}:", workload.name.replace(' ', "-"));
                        let count = recorder.run(&keys, &programs).await;
                        if count < programs.len() {
                            workload.hurry(&started);
                        }
                        answered.fetch_add(count, Ordering::Relaxed);
                        total += count;
                        if workload.rest > 0 {
                            tokio::time::sleep(Duration::from_millis(rng.below(workload.rest))).await;
                        }
                    }
                    total
                });
            }
        }
        load
    }

    pub async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.into_iter().sum()
    }
}

/// Reads every key of every group, so that a write that got lost is noticed.
pub async fn read_all(history: &Arc<History>, servers: &[SocketAddr]) {
    let mut reader = Recorder::new(history, usize::MAX, servers);
    for group in history.groups() {
        reader.run(&group, &[Program::one("MGET x y z n")]).await;
    }
}

/// All workloads at once against servers that nothing happens to.
pub async fn mix(servers: &[SocketAddr], budget: Duration, seed: u64) -> Result<String, String> {
    let history = History::new();
    let load = Load::start(&history, servers, &ALL, 5, seed);
    tokio::time::sleep(budget).await;
    load.stop().await;
    let unknown = history.unknown.load(Ordering::Relaxed);
    if unknown > 0 {
        return Err(format!("{unknown} unknown outcomes although nothing was broken"));
    }
    let checked = history.check()?;
    Ok(format!("{checked} operations are linearizable"))
}
