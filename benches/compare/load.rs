//! The loads: what is sent, by how many clients, and what issues 2 and 3 ask of respg.

use crate::server::Kind;

/// Keys per family (`key:`, `counter:`); all of them exist before the first round.
pub const KEYS: u64 = 100_000;
/// Bytes per value.
pub const VALUE_BYTES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Set,
    Get,
    /// INCR of random keys.
    Incr,
    /// INCR of one key by all clients.
    IncrHot,
    /// 70 % GET, 20 % SET, 10 % INCR, drawn per request.
    Mixed,
    /// PUBLISH on one channel with so many subscribers; the latencies are those of the delivery.
    Publish {
        subscribers: usize,
    },
    /// XADD to one stream.
    Xadd,
    /// A queue: the clients produce, `CONSUMERS` consume. The rate is that of acknowledged messages, the latencies
    /// last from before the sending to the receiving.
    Queue {
        count: Count,
    },
}

/// Consumers of a queue.
pub const CONSUMERS: usize = 8;

/// How many messages a call takes from the queue, and acknowledges; each is sent by a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// XREADGROUP COUNT and XACK
    pub redis: usize,
    pub pgmq: usize,
}

/// What a result is held against: respg's rate divided by another one.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// at least so many times this server's rate
    Of(Kind, f64),
    /// at least this part of respg's own result of another load
    OfLoad(&'static str, f64),
    None,
}

#[derive(Debug)]
pub struct Load {
    pub name: &'static str,
    pub family: &'static str,
    pub work: Work,
    pub clients: usize,
    pub pipeline: usize,
    pub target: Target,
}

impl Load {
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.family == name
    }
}

const fn load(
    name: &'static str,
    family: &'static str,
    work: Work,
    clients: usize,
    pipeline: usize,
    target: Target,
) -> Load {
    Load { name, family, work, clients, pipeline, target }
}

pub static LOADS: [Load; 20] = [
    load("set-50", "set", Work::Set, 50, 1, Target::Of(Kind::RedisAof, 0.75)),
    load("set-50-p16", "set", Work::Set, 50, 16, Target::Of(Kind::RedisAof, 0.4)),
    load("set-1", "set", Work::Set, 1, 1, Target::Of(Kind::RedisAof, 0.75)),
    load("get-50", "get", Work::Get, 50, 1, Target::Of(Kind::RedisAof, 0.85)),
    load("get-50-p16", "get", Work::Get, 50, 16, Target::Of(Kind::RedisAof, 0.55)),
    load("get-1", "get", Work::Get, 1, 1, Target::Of(Kind::RedisAof, 0.55)),
    load("incr-50", "incr", Work::Incr, 50, 1, Target::Of(Kind::RedisAof, 0.5)),
    load("incr-50-p16", "incr", Work::Incr, 50, 16, Target::Of(Kind::RedisAof, 0.25)),
    load("incr-1", "incr", Work::Incr, 1, 1, Target::Of(Kind::RedisAof, 0.6)),
    load("incr-hot-50", "incr-hot", Work::IncrHot, 50, 1, Target::None),
    load("incr-hot-50-p16", "incr-hot", Work::IncrHot, 50, 16, Target::OfLoad("incr-50-p16", 1.0)),
    load("mixed-50", "mixed", Work::Mixed, 50, 1, Target::None),
    load("mixed-50-p16", "mixed", Work::Mixed, 50, 16, Target::None),
    load("publish-50-1", "publish", Work::Publish { subscribers: 1 }, 50, 1, Target::None),
    load("publish-50-100", "publish", Work::Publish { subscribers: 100 }, 50, 1, Target::None),
    load("xadd-50", "xadd", Work::Xadd, 50, 1, Target::Of(Kind::RedisAof, 0.5)),
    load("xadd-50-p16", "xadd", Work::Xadd, 50, 16, Target::Of(Kind::RedisAof, 0.3)),
    load("queue", "queue", queue(10, 1), 50, 1, Target::Of(Kind::Pgmq, 3.0)),
    load("queue-1", "queue", queue(1, 1), 50, 1, Target::None),
    load("queue-10", "queue", queue(10, 10), 50, 1, Target::None),
];

const fn queue(redis: usize, pgmq: usize) -> Work {
    Work::Queue { count: Count { redis, pgmq } }
}
