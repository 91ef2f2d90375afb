//! The pure rules of `src/keyspace` and the double format of `src/resp`, compared with a real server on random input.
//!
//! `REFERENCE_SERVER` names the server program (`redis-server`), `REFERENCE_NEWER` one that speaks 7.2 or later, `REFERENCE_ROUNDS` the number of comparisons per test,
//! `REFERENCE_SEED` the seed.

mod reference;

use std::fmt::Debug;

use bytes::Bytes;
use redis_protocol::resp2::types::BytesFrame as Frame;
use reference::{Random, Reference, rounds};
use respg::keyspace::bitfield::{self, FieldType, Overflow};
use respg::keyspace::bits::{self, Unit};
use respg::keyspace::extended::Extended;
use respg::keyspace::glob::{self, Case};
use respg::keyspace::lcs::Lcs;
use respg::keyspace::rdb::{self, Object};
use respg::keyspace::slot::Slot;
use respg::resp::DoubleText;

type Command = Vec<Vec<u8>>;

fn command<const N: usize>(parts: [&[u8]; N]) -> Command {
    parts.iter().map(|part| part.to_vec()).collect()
}

fn bulk(bytes: impl Into<Bytes>) -> Frame {
    Frame::BulkString(bytes.into())
}

/// Sends batches of cases (setup commands, then the one whose reply counts) and compares with what we compute.
fn compare<T: Debug>(
    make: impl Fn(&mut Random) -> T,
    ask: impl Fn(&T) -> Vec<Command>,
    expect: impl Fn(&T) -> Option<Frame>,
) {
    let (mut random, mut server) = (Random::new(), Reference::start());
    let mut left = rounds();
    while left > 0 {
        let cases: Vec<T> = (0..left.min(500)).map(|_| make(&mut random)).collect();
        left -= cases.len();
        let asked: Vec<Vec<Command>> = cases.iter().map(&ask).collect();
        let replies = server.ask(&asked.concat());
        let mut end = 0;
        for (case, commands) in cases.iter().zip(&asked) {
            end += commands.len();
            let reply = &replies[end - 1];
            match expect(case) {
                Some(expected) => assert_eq!(*reply, expected, "{case:?}"),
                None => assert!(matches!(reply, Frame::Error(_)), "{case:?}: {reply:?}"),
            }
        }
    }
}

#[test]
fn incrbyfloat() {
    compare(
        |random| (random.number(), random.number()),
        |(a, b)| vec![command([b"SET", b"k", a]), command([b"INCRBYFLOAT", b"k", b])],
        |(a, b)| Some(bulk(Extended::parse(a)?.plus(Extended::parse(b)?)?.to_text())),
    );
}

#[test]
fn glob_patterns() {
    compare(
        |random| {
            let size = 1 + random.below(8);
            (random.bytes(size, b"ab*?[]^\\-A\x80\xff"), random.bytes(size, b"abA-]\\\x80\xff"))
        },
        |(pattern, key)| {
            vec![
                command([b"FLUSHALL"]),
                command([b"SET", key, b""]),
                command([b"SCAN", b"0", b"MATCH", pattern]),
            ]
        },
        |(pattern, key)| {
            let matching = pattern == b"*" || glob::matches(pattern, key, Case::Sensitive);
            let keys = if matching { vec![bulk(key.clone())] } else { vec![] };
            Some(Frame::Array(vec![bulk("0"), Frame::Array(keys)]))
        },
    );
}

#[test]
fn bitcount_and_bitpos() {
    let unit_name = |unit: &Unit| if *unit == Unit::Bit { b"BIT".to_vec() } else { b"BYTE".to_vec() };
    let make = |random: &mut Random| {
        let size = random.below(20);
        let value = random.bytes(size, b"\x00\x00\x00\xff\xff\xff\x10\x7f\xfe");
        let mut index = || random.below(400) as i64 - 200;
        let (start, end) = (index() / 4, index());
        let unit = if random.below(2) == 0 { Unit::Bit } else { Unit::Byte };
        (value, start, end, unit, random.below(2) == 1)
    };
    compare(
        make,
        |(value, start, end, unit, _)| {
            let (start, end) = (start.to_string().into_bytes(), end.to_string().into_bytes());
            vec![command([b"SET", b"k", value]), command([b"BITCOUNT", b"k", &start, &end, &unit_name(unit)])]
        },
        |(value, start, end, unit, _)| Some(Frame::Integer(bits::count(value, Some((*start, *end, *unit))))),
    );
    compare(
        make,
        |(value, start, end, unit, bit)| {
            let bit = if *bit { b"1" } else { b"0" };
            let (start, end) = (start.to_string().into_bytes(), end.to_string().into_bytes());
            vec![
                command([b"SET", b"k", value]),
                command([b"BITPOS", b"k", bit, &start, &end, &unit_name(unit)]),
            ]
        },
        |(value, start, end, unit, bit)| {
            Some(Frame::Integer(bits::position(value, *bit, *start, Some(*end), *unit)))
        },
    );
    compare(
        make,
        |(value, start, _, _, bit)| {
            let bit = if *bit { b"1" } else { b"0" };
            vec![
                command([b"SET", b"k", value]),
                command([b"BITPOS", b"k", bit, start.to_string().as_bytes()]),
            ]
        },
        |(value, start, _, _, bit)| {
            Some(Frame::Integer(bits::position(value, *bit, *start, None, Unit::Byte)))
        },
    );
}

#[test]
fn bitfields() {
    let number = |value: Option<i64>| value.map_or(Frame::Null, Frame::Integer);
    compare(
        |random| {
            let (size, signed) = (random.below(20), random.below(2) == 1);
            let value = random.bytes(size, &[0, 0xff, 0x80, 0x7f, 0x55]);
            let bits = 1 + random.below(if signed { 64 } else { 63 }) as u32;
            let overflow = [Overflow::Wrap, Overflow::Saturate, Overflow::Fail][random.below(3)];
            let argument = (random.next() as i64) >> random.below(64);
            (value, FieldType { signed, bits }, random.below(100) as u64, argument, overflow)
        },
        |(value, field, offset, argument, overflow)| {
            let name = format!("{}{}", if field.signed { 'i' } else { 'u' }, field.bits).into_bytes();
            let overflow = match overflow {
                Overflow::Wrap => b"WRAP".to_vec(),
                Overflow::Saturate => b"SAT".to_vec(),
                Overflow::Fail => b"FAIL".to_vec(),
            };
            let (offset, argument) = (offset.to_string().into_bytes(), argument.to_string().into_bytes());
            let parts: [&[u8]; 15] = [
                b"BITFIELD",
                b"k",
                b"OVERFLOW",
                &overflow,
                b"INCRBY",
                &name,
                &offset,
                &argument,
                b"SET",
                &name,
                &offset,
                &argument,
                b"GET",
                &name,
                &offset,
            ];
            vec![command([b"SET", b"k", value]), command(parts)]
        },
        |(value, field, offset, argument, overflow)| {
            let mut value = value.clone();
            Some(Frame::Array(vec![
                number(bitfield::increment(&mut value, *field, *offset, *argument, *overflow)),
                number(bitfield::set(&mut value, *field, *offset, *argument, *overflow)),
                Frame::Integer(bitfield::get(&value, *field, *offset)),
            ]))
        },
    );
}

#[test]
fn lcs() {
    let pair = |range: &std::ops::RangeInclusive<usize>| {
        Frame::Array(vec![Frame::Integer(*range.start() as i64), Frame::Integer(*range.end() as i64)])
    };
    compare(
        |random| {
            let (a, b) = (random.below(30), random.below(30));
            (random.bytes(a, b"abc"), random.bytes(b, b"abc"))
        },
        |(a, b)| {
            vec![command([b"MSET", b"a", a, b"b", b]), command([b"LCS", b"a", b"b", b"IDX", b"WITHMATCHLEN"])]
        },
        |(a, b)| {
            let lcs = Lcs::new(a, b, 1 << 20).ok()?;
            assert_eq!(lcs.text().len(), lcs.length());
            let matches = lcs.matches();
            let matches = matches
                .iter()
                .map(|run| {
                    Frame::Array(vec![pair(&run.a), pair(&run.b), Frame::Integer(run.length() as i64)])
                })
                .collect();
            let length = Frame::Integer(lcs.length() as i64);
            Some(Frame::Array(vec![bulk("matches"), Frame::Array(matches), bulk("len"), length]))
        },
    );
    compare(
        |random| (random.bytes(25, b"abcd"), random.bytes(25, b"abcd")),
        |(a, b)| vec![command([b"MSET", b"a", a, b"b", b]), command([b"LCS", b"a", b"b"])],
        |(a, b)| Some(bulk(Lcs::new(a, b, 1 << 20).ok()?.text())),
    );
}

/// Some text with repetitions of all distances, or a number.
fn compressible(random: &mut Random) -> Vec<u8> {
    if random.below(4) == 0 {
        return ((random.next() as i64) >> random.below(64)).to_string().into_bytes();
    }
    let mut text = Vec::new();
    for _ in 0..random.below(40) {
        if text.is_empty() || random.below(3) == 0 {
            let size = 1 + random.below(40);
            text.extend(random.bytes(size, b"abcdefghijklmnopqrstuvwxyz\x00\xff"));
        } else {
            let start = random.below(text.len());
            let end = (start + 1 + random.below(600)).min(text.len());
            text.extend_from_within(start..end);
        }
    }
    text
}

#[test]
fn dump_and_restore() {
    let (mut random, mut server) = (Random::new(), Reference::start());
    for _ in 0..rounds().div_ceil(100) {
        let values: Vec<Vec<u8>> = (0..100).map(|_| compressible(&mut random)).collect();
        let asked: Vec<Command> = values
            .iter()
            .flat_map(|value| [command([b"SET", b"k", value]), command([b"DUMP", b"k"])])
            .collect();
        let replies = server.ask(&asked);
        for (value, reply) in values.into_iter().zip(replies.iter().skip(1).step_by(2)) {
            let Frame::BulkString(theirs) = reply else { panic!("{reply:?}") };
            let object = Object::String(value.into());
            let ours = rdb::dump(&object);
            let body = |payload: &[u8]| payload[..payload.len() - 10].to_vec();
            assert_eq!(body(&ours), body(theirs), "{object:?}");
            assert_eq!(rdb::restore(theirs), Ok(object));
        }
    }
}

#[test]
fn hash_slots() {
    let (mut random, mut server) = (Random::new(), Reference::start_with(&["--cluster-enabled", "yes"]));
    for _ in 0..rounds().div_ceil(500) {
        let mut key = || {
            let size = random.below(12);
            random.bytes(size, b"{}ab\x00\xff")
        };
        let keys: Vec<Vec<u8>> = (0..500).map(|_| key()).collect();
        let asked: Vec<Command> = keys.iter().map(|key| command([b"CLUSTER", b"KEYSLOT", key])).collect();
        for (key, reply) in keys.iter().zip(server.ask(&asked)) {
            assert_eq!(reply, Frame::Integer(Slot::of(key).0.into()), "{key:?}");
        }
    }
}

#[test]
fn doubles() {
    let mut random = Random::new();
    // Redis before 7.2 wrote 17 digits.
    let mut server = Reference::start_program(&reference::newer_server(), &[]);
    for _ in 0..rounds().div_ceil(500) {
        let values: Vec<f64> = (0..500).map(|_| random.double()).collect();
        let add = |value: &f64| command([b"ZADD", b"z", format!("{value:e}").as_bytes(), b"m"]);
        let asked: Vec<Command> =
            values.iter().flat_map(|value| [add(value), command([b"ZSCORE", b"z", b"m"])]).collect();
        let replies = server.ask(&asked);
        for (value, reply) in values.iter().zip(replies.iter().skip(1).step_by(2)) {
            assert_eq!(*reply, bulk(DoubleText::new(*value).to_vec()), "{value:e}");
        }
    }
}
