//! The syntax lines random commands are made from.
//!
//! Upper-case words and numbers stand for themselves, lower-case words for something random (`words.rs`);
//! `[a|b]` is one of them or nothing, `(a|b)` one of them, `(a|b)+` one to four times.

/// What a kind of programs is made of.
pub struct Grammar {
    pub name: &'static str,
    /// How often, and what.
    lines: &'static [&'static [(usize, &'static str)]],
    /// The word for keys to WATCH.
    pub keys: &'static str,
    /// Clients may block and hear of each other.
    pub scripted: bool,
}

impl Grammar {
    pub fn lines(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.lines.iter().copied().flatten().copied()
    }
}

pub const STRINGS: Grammar =
    Grammar { name: "strings", lines: &[STRING_LINES], keys: "key", scripted: false };

pub const STREAMS: Grammar =
    Grammar { name: "streams", lines: &[STREAM_LINES, KEY_LINES], keys: "stream", scripted: false };

/// Blocking commands wait for one stream with XREADGROUP: since 7.2 who is woken in vain by one key goes to the end of the
/// queues of its others, which is not promised here. No SET: whether XREAD of several streams hears of one that is a string now
/// depends on which of its keys calls it. No XGROUP SETID: in Redis it wakes nobody, and who comes next gets what is new.
pub const TALK: Grammar = Grammar {
    name: "blocking and messages",
    lines: &[BLOCKING_LINES, MESSAGE_LINES],
    keys: "stream",
    scripted: true,
};

const STRING_LINES: &[(usize, &str)] = &[
    (12, "GET key"),
    (16, "SET key value [NX|XX] [GET] [expiry|KEEPTTL]"),
    (2, "SET key value (NX|XX|GET|KEEPTTL|expiry)+"),
    (3, "SETNX key value"),
    (1, "SETEX key seconds value"),
    (1, "PSETEX key milliseconds value"),
    (3, "GETSET key value"),
    (2, "GETDEL key"),
    (3, "GETEX key [EX seconds|PX milliseconds|EXAT moment|PXAT moment-milliseconds|PERSIST]"),
    (4, "APPEND key value"),
    (2, "STRLEN key"),
    (3, "GETRANGE key index index"),
    (1, "SUBSTR key index index"),
    (4, "SETRANGE key offset value"),
    (5, "INCR key"),
    (3, "DECR key"),
    (5, "INCRBY key integer"),
    (3, "DECRBY key integer"),
    (4, "INCRBYFLOAT key float"),
    (4, "MGET (key)+"),
    (4, "MSET (key value)+"),
    (3, "MSETNX (key value)+"),
    (1, "LCS key key [LEN|IDX] [MINMATCHLEN small] [WITHMATCHLEN]"),
    (3, "SETBIT key bit (0|1)"),
    (2, "GETBIT key bit"),
    (2, "BITCOUNT key [index index [BYTE|BIT]]"),
    (2, "BITPOS key (0|1) [index [index [BYTE|BIT]]]"),
    (2, "BITOP (AND|OR|XOR) key (key)+"),
    (1, "BITOP NOT key key"),
    (
        4,
        "BITFIELD key (GET bittype bit|SET bittype bit integer|INCRBY bittype bit integer|OVERFLOW (WRAP|SAT|FAIL))+",
    ),
    (1, "BITFIELD_RO key (GET bittype bit)+"),
    (4, "DEL (key)+"),
    (2, "UNLINK (key)+"),
    (3, "EXISTS (key)+"),
    (1, "TOUCH (key)+"),
    (2, "TYPE key"),
    (3, "EXPIRE key seconds [NX|XX|GT|LT]"),
    (2, "PEXPIRE key milliseconds [NX|XX|GT|LT]"),
    (2, "EXPIREAT key moment [NX|XX|GT|LT]"),
    (2, "PEXPIREAT key moment-milliseconds [NX|XX|GT|LT]"),
    (3, "TTL key"),
    (2, "PTTL key"),
    (1, "EXPIRETIME key"),
    (1, "PEXPIRETIME key"),
    (2, "PERSIST key"),
    (3, "RENAME key key"),
    (2, "RENAMENX key key"),
    (3, "COPY key key [DB database] [REPLACE]"),
    (2, "MOVE key database"),
    (2, "SELECT database"),
    (1, "SWAPDB database database"),
    (1, "FLUSHDB [ASYNC|SYNC]"),
    (1, "KEYS pattern"),
    (1, "SCAN 0 COUNT 1000 [MATCH pattern] [TYPE STRING]"),
    (1, "RANDOMKEY"),
    (2, "DBSIZE"),
    (1, "PING"),
    (1, "ECHO value"),
];

/// No `*` ids, whose times differ, and no `~`: what is trimmed then depends on how entries are stored.
const STREAM_LINES: &[(usize, &str)] = &[
    (20, "XADD stream [NOMKSTREAM] [MAXLEN small|MINID id|MAXLEN = count|MINID = id] newid (word value)+"),
    (3, "XLEN stream"),
    (4, "XRANGE stream bound bound [COUNT count]"),
    (4, "XREVRANGE stream bound bound [COUNT count]"),
    (4, "XDEL stream (id)+"),
    (2, "XTRIM stream (MAXLEN count|MINID id)"),
    (2, "XSETID stream newid [ENTRIESADDED entries MAXDELETEDID id]"),
    (4, "XREAD [COUNT count] STREAMS stream id"),
    (2, "XREAD [COUNT count] STREAMS stream stream id id"),
    (10, "XGROUP CREATE stream group (id|$|0) [MKSTREAM] [ENTRIESREAD entries]"),
    (3, "XGROUP SETID stream group (id|$|0) [ENTRIESREAD entries]"),
    (1, "XGROUP DESTROY stream group"),
    (1, "XGROUP CREATECONSUMER stream group consumer"),
    (1, "XGROUP DELCONSUMER stream group consumer"),
    (16, "XREADGROUP GROUP group consumer [COUNT count] [NOACK] STREAMS stream >"),
    (3, "XREADGROUP GROUP group consumer [COUNT count] STREAMS stream id"),
    (2, "XREADGROUP GROUP group consumer [COUNT count] STREAMS stream stream (>|id) >"),
    (6, "XACK stream group (id)+"),
    (3, "XPENDING stream group"),
    (4, "XPENDING stream group [IDLE 0] bound bound count [consumer]"),
    (
        6,
        "XCLAIM stream group consumer idle (id)+ [IDLE 100000|TIME 1000] [RETRYCOUNT small] [FORCE] [JUSTID]",
    ),
    (4, "XAUTOCLAIM stream group consumer idle bound [COUNT count] [JUSTID]"),
    (2, "XINFO STREAM stream [FULL|FULL COUNT count]"),
    (2, "XINFO GROUPS stream"),
    (2, "XINFO CONSUMERS stream group"),
];

const KEY_LINES: &[(usize, &str)] = &[
    (2, "DEL stream"),
    (2, "RENAME stream stream"),
    (2, "COPY stream stream [REPLACE]"),
    (1, "MOVE stream database"),
    (1, "SELECT database"),
    (1, "SET stream value"),
    (1, "GET stream"),
    (2, "TYPE stream"),
    (1, "EXPIRE stream seconds"),
    (1, "PERSIST stream"),
    (1, "FLUSHDB"),
    (1, "EXISTS stream stream"),
];

const BLOCKING_LINES: &[(usize, &str)] = &[
    (24, "XADD stream [MAXLEN count] newid F value"),
    (14, "XREADGROUP GROUP group consumer [COUNT count] [NOACK] BLOCK 0 STREAMS stream >"),
    (5, "XREAD [COUNT count] BLOCK 0 STREAMS stream $"),
    (2, "XREAD [COUNT count] BLOCK 0 STREAMS stream stream $ $"),
    (2, "XREAD [COUNT count] BLOCK 0 STREAMS stream id"),
    (12, "XGROUP CREATE stream group (0|$) MKSTREAM"),
    (1, "XGROUP DESTROY stream group"),
    (2, "XPENDING stream group"),
    (2, "XDEL stream id"),
    (2, "DEL stream"),
    (1, "RENAME stream stream"),
    (2, "TYPE stream"),
];

/// No UNSUBSCRIBE of everything: its order is that of a hash table.
const MESSAGE_LINES: &[(usize, &str)] = &[
    (16, "PUBLISH channel value"),
    (4, "SUBSCRIBE (channel)+"),
    (2, "PSUBSCRIBE (channel-pattern)+"),
    (2, "SSUBSCRIBE channel"),
    (3, "SPUBLISH channel value"),
    (2, "UNSUBSCRIBE (channel)+"),
    (1, "PUNSUBSCRIBE channel-pattern"),
    (1, "SUNSUBSCRIBE channel"),
    (2, "PUBSUB NUMSUB channel channel"),
    (1, "PUBSUB NUMPAT"),
    (1, "PUBSUB SHARDNUMSUB channel"),
    (2, "PING"),
];

/// Expands a syntax line; `word` says what a lower-case word stands for, `choose` picks a number below its argument.
pub fn expand(
    syntax: &str,
    choose: &mut dyn FnMut(usize) -> usize,
    word: &mut dyn FnMut(&str) -> Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = syntax.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '[' || first == '(' {
            let end = closing(rest);
            let choices = alternatives(&rest[1..end]);
            rest = &rest[end + 1..];
            let times = match (first, rest.strip_prefix('+')) {
                ('[', _) => choose(2),
                (_, None) => 1,
                (_, Some(after)) => {
                    rest = after;
                    1 + choose(4)
                }
            };
            for _ in 0..times {
                out.extend(expand(choices[choose(choices.len())], choose, word));
            }
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            match first.is_ascii_lowercase() {
                true => out.extend(word(&rest[..end])),
                false => out.push(rest.as_bytes()[..end].to_vec()),
            }
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    out
}

/// The position of the bracket that closes the first one.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("unbalanced: {text}")
}

fn alternatives(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth -= 1,
            b'|' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
