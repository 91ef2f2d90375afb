//! Random commands of every kind that respg has, on few keys, so that they meet.

use bytes::Bytes;

/// A generator of pseudo-random numbers (xorshift).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// `K` is a key of a string, `X` any key, `S` a stream, `N` a small number, `G` a group, `C` a consumer, `I` an id.
const TEMPLATES: &[&str] = &[
    "SET K N",
    "SET K N EX 100",
    "SET K N PX 100000 NX",
    "SET K N XX GET",
    "SET K N KEEPTTL",
    "SET X N",
    // They end in the middle of things, or at once.
    "SET K N PX 15",
    "PEXPIRE X 20",
    "GETEX K PX 30",
    "EXPIREAT X 1",
    "SETEX K 90 N",
    "PSETEX K 90000 N",
    "SETNX K N",
    "GETSET K N",
    "GETDEL K",
    "GETEX K EX 80",
    "GETEX K PERSIST",
    "GET K",
    "MSET K N K N",
    "MSETNX K N K N",
    "INCR K",
    "DECRBY K N",
    "INCRBYFLOAT K 1.5",
    "APPEND K N",
    "SETRANGE K N ab",
    "SETBIT K N 1",
    "BITFIELD K INCRBY u8 0 N",
    "BITOP XOR K K K",
    "DEL X",
    "UNLINK X",
    "EXPIRE X 100",
    "PEXPIRE X 70000 GT",
    "EXPIREAT X 4000000000",
    "PERSIST X",
    "RENAME X X",
    "RENAMENX X X",
    "COPY X X REPLACE",
    "MOVE X 1",
    "TOUCH X",
    "DUMP K",
    "PUBLISH c N",
    "XADD S * f N",
    "XADD S MAXLEN 20 * f N g N",
    "XADD S MINID ~ 0 * f N",
    "XADD S NOMKSTREAM * f N",
    "XADD S MAXLEN ~ 30 * f N",
    "XTRIM S MAXLEN 15",
    "XDEL S I",
    "XLEN S",
    "XRANGE S - + COUNT 3",
    "XGROUP CREATE S G 0 MKSTREAM",
    "XGROUP CREATE S G $ MKSTREAM",
    "XGROUP SETID S G 0",
    "XGROUP CREATECONSUMER S G C",
    "XGROUP DELCONSUMER S G C",
    "XREADGROUP GROUP G C COUNT N STREAMS S >",
    "XREADGROUP GROUP G C COUNT N NOACK STREAMS S >",
    "XREADGROUP GROUP G C COUNT 2 STREAMS S S > >",
    "XREADGROUP GROUP G C COUNT 2 STREAMS S 0",
    "XACK S G I",
    "XCLAIM S G C 0 I I",
    "XCLAIM S G C 0 I JUSTID",
    "XCLAIM S G C 99999999 I RETRYCOUNT 3",
    "XAUTOCLAIM S G C 0 0 COUNT 3",
    "XAUTOCLAIM S G C 0 0 JUSTID",
    "XPENDING S G",
    "MULTI; INCR K; XADD S * f N; EXPIRE K 60; EXEC",
    "MULTI; SET K N; INCR X; EXEC",
    "MULTI; SET K N; DISCARD",
    "MULTI; NOSUCH; EXEC",
    "INCR K; INCR K; GET K",
    "WATCH K; MULTI; INCR K; SET X N; EXEC",
    "WATCH K; INCR K; UNWATCH",
    "SELECT 1; SET K N; XADD S * f N; SELECT 0",
    "MULTI; SELECT 1; INCR K; SELECT 0; INCR K; EXEC",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 K",
    "HSET hash f N",
    "LPUSH list N",
    "SADD set N",
    "SPOP set",
    "EVAL return{redis.call('incr',KEYS[1])} 1 K",
];

/// Seldom: they leave nothing behind.
const RARE: &[&str] = &["FLUSHDB", "SWAPDB 0 1", "XGROUP DESTROY S G"];

/// Whether a reply is an id of XADD. Other bytes would come back in errors, which the test's client takes for text.
pub fn is_id(text: &[u8]) -> bool {
    text.len() > 12 && text.contains(&b'-') && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
}

/// Calls of one client, sent together.
pub fn next(random: &mut Random, seen: &[Bytes]) -> Vec<Vec<Bytes>> {
    let templates = if random.below(400) == 0 { RARE } else { TEMPLATES };
    let template = templates[random.below(templates.len() as u64) as usize];
    let calls = template.split(';');
    calls.map(|call| call.split_whitespace().map(|word| fill(word, random, seen)).collect()).collect()
}

fn fill(word: &str, random: &mut Random, seen: &[Bytes]) -> Bytes {
    Bytes::from(match word {
        "K" => format!("key:{}", random.below(8)),
        "X" if random.below(3) == 0 => format!("stream:{}", random.below(3)),
        "X" => format!("key:{}", random.below(8)),
        "S" => format!("stream:{}", random.below(3)),
        "N" => random.below(20).to_string(),
        "G" => format!("group{}", random.below(2)),
        "C" => format!("consumer{}", random.below(3)),
        "I" if !seen.is_empty() => return seen[random.below(seen.len() as u64) as usize].clone(),
        "I" => "1-1".to_owned(),
        _ => return Bytes::copy_from_slice(word.replace("return{", "return {").as_bytes()),
    })
}
