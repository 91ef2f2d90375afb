use super::*;
use crate::command::{Arity, KeySpec, all};

const AT: i64 = 1_700_000_000_000;
const WHEN: When = When { at: AT, dialect: Dialect { major: 7, minor: 0 }, beside: false };

fn argv(call: &str) -> Vec<Bytes> {
    call.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

fn shown(request: &Request) -> String {
    request.argv.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

fn bulk(text: &str) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(text.as_bytes()))
}

fn entry(id: &str) -> Reply {
    Reply::Array(vec![bulk(id), Reply::bulks(["f", "v"])])
}

/// What the follower does: calls, `=` before those whose reply is compared, and `?keys` that are read again.
fn work(call: &str, reply: Reply) -> String {
    let mut work = Work::default();
    work.add(DbIndex(0), argv(call), &reply, WHEN);
    said(&work)
}

fn said(work: &Work) -> String {
    let calls = work.calls.iter().map(|planned| {
        let mark = if planned.expected.is_some() { "=" } else { "" };
        format!("{mark}{}", shown(&planned.request))
    });
    let reread = work.reread.iter().map(|(_, key)| format!("?{}", key.escape_ascii()));
    let unknown = work.unknown.iter().map(|one| format!("!{}", one.argv[0].escape_ascii()));
    calls.chain(reread).chain(unknown).collect::<Vec<_>>().join("; ")
}

#[test]
fn strings_and_expiries() {
    for (call, reply, expected) in [
        ("GET k", bulk("v"), ""),
        ("SET k v", Reply::Ok, "SET k v"),
        ("SET k v NX EX 10", Reply::Ok, "=SET k v PXAT 1700000010000"),
        ("SET k v NX", Reply::Null, ""),
        ("SET k v KEEPTTL XX", Reply::Ok, "SET k v KEEPTTL"),
        ("SET k v GET", Reply::Null, "SET k v"),
        ("SET k v NX GET", bulk("old"), ""),
        ("SET k v NX GET", Reply::Null, "SET k v"),
        ("SET k v XX GET PXAT 5", bulk("old"), "=SET k v PXAT 5"),
        ("SET k v XX GET", Reply::Null, ""),
        ("SETEX k 10 v", Reply::Ok, "=SET k v PXAT 1700000010000"),
        ("PSETEX k 10 v", Reply::Ok, "=SET k v PXAT 1700000000010"),
        ("SETNX k v", Reply::ONE, "SET k v"),
        ("SETNX k v", Reply::ZERO, ""),
        ("MSETNX a 1 b 2", Reply::ONE, "MSET a 1 b 2"),
        ("MSETNX a 1 b 2", Reply::ZERO, ""),
        ("GETEX k EX 10", bulk("v"), "=PEXPIREAT k 1700000010000"),
        ("GETEX k EX 10", Reply::Null, ""),
        ("GETEX k PERSIST", bulk("v"), "=GETEX k PERSIST"),
        ("INCR n", Reply::ONE, "=INCR n"),
        ("INCR n", Reply::error("ERR value is not an integer or out of range"), ""),
        ("INCR n", Reply::error("WRONGTYPE no"), "=INCR n"),
        ("INCRBYFLOAT n 1.5", bulk("3"), "SET n 3 KEEPTTL"),
        ("EXPIRE k 10", Reply::ONE, "=PEXPIREAT k 1700000010000"),
        ("EXPIRE k 10 GT", Reply::ONE, "=PEXPIREAT k 1700000010000"),
        ("PEXPIRE k 10", Reply::ZERO, ""),
        ("EXPIREAT k 10", Reply::ONE, "=PEXPIREAT k 10000"),
        ("RESTORE k 5 payload", Reply::Ok, "=RESTORE k 1700000000005 payload REPLACE ABSTTL"),
        ("RESTORE k 0 payload", Reply::Ok, "RESTORE k 0 payload REPLACE ABSTTL"),
        ("RENAME a b", Reply::Ok, "=RENAME a b"),
        ("FLUSHDB", Reply::Ok, "=FLUSHDB"),
        ("PUBLISH c m", Reply::ONE, ""),
        ("TIME", Reply::Null, ""),
        ("NOSUCH a b", Reply::Ok, "!NOSUCH"),
        ("NOSUCH a b", Reply::error("ERR unknown command"), ""),
        ("SCRIPTED a b", Reply::error("WRONGTYPE no"), "!SCRIPTED"),
    ] {
        assert_eq!(work(call, reply.clone()), expected, "{call} {reply:?}");
    }
}

#[test]
fn streams() {
    let read = |key: &str, ids: &[&str]| {
        Reply::Map(vec![(bulk(key), Reply::Array(ids.iter().map(|id| entry(id)).collect()))])
    };
    let claimed = |ids: &[&str]| Reply::Array(ids.iter().map(|id| entry(id)).collect());
    for (call, reply, expected) in [
        ("XADD s * f v", bulk("5-1"), "XADD s 5-1 f v"),
        ("XADD s NOMKSTREAM MAXLEN = 5 7-* f v", bulk("7-3"), "XADD s MAXLEN = 5 7-3 f v"),
        ("XADD s NOMKSTREAM * f v", Reply::Null, ""),
        ("XADD maxlen MINID 4 * * *", bulk("5-1"), "XADD maxlen MINID 4 5-1 * *"),
        ("XTRIM s MAXLEN 5", Reply::ZERO, ""),
        ("XDEL s 5-1", Reply::ONE, "=XDEL s 5-1"),
        ("XREADGROUP GROUP g c STREAMS s >", Reply::Null, ""),
        (
            "XREADGROUP GROUP g c BLOCK 0 STREAMS r s > >",
            read("s", &["1-0", "2-0"]),
            "XREADGROUP s g c 1700000000000 ACK 1-0 2-0",
        ),
        (
            "XREADGROUP GROUP g c NOACK STREAMS s >",
            read("s", &["1-0"]),
            "XREADGROUP s g c 1700000000000 NOACK 1-0",
        ),
        ("XREADGROUP GROUP g c STREAMS s 0", read("s", &["1-0"]), "XREADGROUP GROUP g c COUNT 1 STREAMS s 0"),
        (
            "XCLAIM s g c 100 1-0 2-0 IDLE 5",
            claimed(&["2-0"]),
            "XCLAIM s g c 9223372036854775807 1-0 JUSTID; XCLAIM s g c 0 2-0 FORCE TIME 1699999999995",
        ),
        (
            "XCLAIM s g c 100 1-0 JUSTID RETRYCOUNT 4",
            Reply::bulks(["1-0"]),
            "XCLAIM s g c 0 1-0 FORCE TIME 1700000000000 RETRYCOUNT 4 JUSTID",
        ),
        // Redis 7.0 makes no consumer for nothing.
        ("XCLAIM s g c 100 1-0", claimed(&[]), "?s"),
        (
            "XAUTOCLAIM s g c 0 0",
            Reply::Array(vec![bulk("0-0"), claimed(&["1-0"]), Reply::bulks(["2-0"])]),
            "XCLAIM s g c 0 1-0 2-0 TIME 1700000000000",
        ),
        ("XAUTOCLAIM s g c 0 0", Reply::Array(vec![bulk("0-0"), claimed(&[]), Reply::Array(vec![])]), ""),
    ] {
        assert_eq!(work(call, reply.clone()), expected, "{call} {reply:?}");
    }
}

#[test]
fn transactions_are_whole_and_change_databases() {
    let calls = ["MULTI", "SET a 1", "select 4", "INCR b", "SET c 1 NX", "EXEC", "INCR d"].map(argv).to_vec();
    let works = |exec: Reply| {
        let queued = Reply::status("QUEUED");
        let mut replies = vec![Reply::Ok, queued.clone(), queued.clone(), queued.clone(), queued];
        replies.extend([exec, Reply::ONE]);
        let works = Work::of_calls(DbIndex(1), calls.clone(), &replies, WHEN);
        let dbs = |work: &Work| work.calls.iter().map(|planned| planned.db.0).collect::<Vec<_>>();
        let works = works.iter().filter(|work| !work.calls.is_empty());
        works.map(|work| (work.atomic, said(work), dbs(work))).collect::<Vec<_>>()
    };
    let done = works(Reply::Array(vec![Reply::Ok, Reply::Ok, Reply::ONE, Reply::Null]));
    let after = |db| (false, "=INCR d".to_owned(), vec![db]);
    assert_eq!(done, [(true, "SET a 1; =INCR b".to_owned(), vec![1, 4]), after(4)]);
    for nothing in [Reply::Null, Reply::NullArray, Reply::error("EXECABORT no")] {
        assert_eq!(works(nothing), [after(1)]);
    }
    let calls = ["MULTI", "INCR a", "DISCARD", "MULTI", "INCR b", "EXEC"].map(argv).to_vec();
    let queued = || Reply::status("QUEUED");
    let replies = [Reply::Ok, queued(), Reply::Ok, Reply::Ok, queued(), Reply::Array(vec![Reply::ONE])];
    let works = Work::of_calls(DbIndex(1), calls, &replies, WHEN);
    assert_eq!(works.iter().map(said).collect::<String>(), "=INCR b");
}

/// A command that nobody has ever heard of is followed by what its declaration says.
#[test]
fn a_new_command_needs_its_declaration_and_no_more() {
    static WRITES: Command = Command {
        name: "FROB",
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE,
        keys: &[KeySpec::at(1, &["RW", "UPDATE"]), KeySpec::at(2, &["RO", "ACCESS"])],
        ..Command::in_group(Group::String, file!())
    };
    static DRAWS: Command = Command { name: "DRAW", tips: &["nondeterministic_output"], ..COPY };
    static WAITS: Command = Command { name: "WAITFOR", flags: Flags::WRITE.and(Flags::BLOCKING), ..COPY };
    static READS: Command = Command { name: "LOOK", flags: Flags::READONLY, ..COPY };
    static SCRIPT: Command = Command { name: "RUN", group: Group::Scripting, flags: Flags::NOSCRIPT, ..COPY };
    static SPECIAL: Command = Command {
        name: "SPECIAL",
        follow: Follow::Effect(|done| Effect::call(["DEL".into(), done.word(1)])),
        ..COPY
    };
    const COPY: Command = Command {
        arity: Arity::AtLeast(2),
        flags: Flags::WRITE,
        keys: &[KeySpec::at(1, &["RW", "UPDATE"]), KeySpec::at(2, &["RO", "ACCESS"])],
        ..Command::in_group(Group::String, file!())
    };
    let effect = |command, reply| {
        let request = Request { command, argv: argv("x to from") };
        let said = match effect(&Done { request: &request, reply: &reply, at: AT, dialect: WHEN.dialect }) {
            Effect::Nothing => "nothing".to_owned(),
            Effect::Same => "same".to_owned(),
            Effect::Calls(calls) => calls.iter().map(shown).collect(),
            Effect::Until(_, call, _) => shown(&call),
            Effect::Keys => "keys".to_owned(),
        };
        assert_eq!(written(&request).collect::<Vec<_>>(), ["to"]);
        said
    };
    assert_eq!(effect(&WRITES, Reply::ONE), "same");
    assert_eq!(effect(&DRAWS, bulk("x")), "keys");
    assert_eq!(effect(&DRAWS, Reply::Null), "nothing");
    assert_eq!(effect(&WAITS, bulk("x")), "keys");
    assert_eq!(effect(&WAITS, Reply::Null), "nothing");
    assert_eq!(effect(&READS, bulk("x")), "nothing");
    assert_eq!(effect(&SCRIPT, Reply::Ok), "keys");
    assert_eq!(effect(&SPECIAL, Reply::Ok), "DEL to");
    assert_eq!(effect(&SPECIAL, Reply::error("ERR no")), "nothing");
}

/// No command that writes may be repeated by its text if its outcome is not determined by that.
#[test]
fn every_command_says_how_it_is_followed() {
    let told: Vec<&str> = all()
        .flat_map(|command| command.subcommands.iter().copied().chain([command]))
        .filter(|command| command.flags.has(Flags::WRITE) && matches!(command.follow, Follow::Flags))
        .filter(|command| {
            command.tips.contains(&"nondeterministic_output") || command.flags.has(Flags::BLOCKING)
        })
        .map(|command| command.name)
        .collect();
    assert!(told.is_empty(), "followed by reading whole keys again: {told:?}");
}

/// From 7.2 on there is a consumer afterwards at every stream, also where there was nothing for it.
#[test]
fn consumers_of_streams_without_entries() {
    let done = |call: &str, reply: &Reply| {
        let mut work = Work::default();
        work.add(DbIndex(0), argv(call), reply, When { at: 1, dialect: Dialect::OWN, beside: false });
        said(&work)
    };
    let call = "XREADGROUP GROUP g c STREAMS r s > >";
    let of_s = Reply::Map(vec![(bulk("s"), Reply::Array(vec![entry("1-0")]))]);
    let (of_r, read) = ("XGROUP CREATECONSUMER r g c", "XREADGROUP s g c 1 ACK 1-0");
    assert_eq!(done(call, &of_s), format!("{of_r}; {read}"));
    assert_eq!(done(call, &Reply::Null), format!("{of_r}; XGROUP CREATECONSUMER s g c"));
}

#[test]
fn what_depends_on_other_keys() {
    let calls = |calls: &[&str]| calls.iter().map(|call| argv(call)).collect::<Vec<_>>();
    let sources = |words: &[&str]| sources(DbIndex(0), &calls(words));
    let slots = |keys: &[&str]| Touched::Slots(keys.iter().map(|key| Slot::of(key.as_bytes()).0).collect());
    for (call, expected) in [
        ("COPY a b", &["a"][..]),
        ("COPY a a DB 1", &["a"]),
        ("MOVE a 1", &["a"]),
        ("RENAME a b", &["a"]),
        ("BITOP XOR to a b", &["a", "b"]),
        ("MSET a 1 b 2", &[]),
        ("DEL a b", &[]),
        ("XREADGROUP GROUP g c STREAMS r s > >", &[]),
        ("INCR a", &[]),
        ("LCS a b", &[]),
    ] {
        assert_eq!(sources(&[call]), slots(expected), "{call}");
    }
    assert_eq!(sources(&["MULTI", "SET a 1", "RENAME a b", "EXEC"]), slots(&["a"]));
    let leaves = |words: &[&str]| leave(DbIndex(0), &calls(words));
    assert!(
        leaves(&["MOVE a 1"])
            && leaves(&["MULTI", "select 1", "SET a 1", "EXEC"])
            && leaves(&["COPY a a DB 1"])
    );
    assert!(!leaves(&["COPY a b"]) && !leaves(&["SET a 1", "GET b"]));
    assert!(
        are_barriers(&calls(&["SET a 1", "SWAPDB 0 1"])) && !are_barriers(&calls(&["EVAL x 0", "SET a 1"]))
    );
}

#[test]
fn what_is_touched() {
    let slots = |keys: &[&str]| Touched::Slots(keys.iter().map(|key| Slot::of(key.as_bytes()).0).collect());
    let touched = |calls: &[&str]| touched(&calls.iter().map(|call| argv(call)).collect::<Vec<_>>());
    assert_eq!(touched(&["SET a v"]), slots(&["a"]));
    assert_eq!(
        touched(&["MULTI", "BITOP AND to b c", "GET x", "RENAME a b", "EXEC"]),
        slots(&["to", "a", "b"])
    );
    assert_eq!(touched(&["XREADGROUP GROUP g c STREAMS s >"]), slots(&["s"]));
    assert_eq!(touched(&["GET a", "SET a"]), slots(&[]));
    assert_eq!(touched(&["SET a v", "FLUSHALL"]), Touched::All);
    assert_eq!(touched(&["NOSUCH a"]), Touched::All);
    for (call, writes) in [("SET a v", true), ("GET a", false), ("NOSUCH a", true), ("PUBLISH a b", false)] {
        assert_eq!(may_write(&argv(call)), writes, "{call}");
    }
}

/// Of commands that we do not know somebody else knows the keys.
#[test]
fn what_is_read_again() {
    let calls = |lines: &[&str]| lines.iter().map(|line| argv(line)).collect::<Vec<_>>();
    let names = |keys: &[&str]| {
        Some(keys.iter().map(|key| (DbIndex(0), Bytes::copy_from_slice(key.as_bytes()))).collect::<Vec<_>>())
    };
    let foreign = |argv: &[Bytes]| (&argv[0][..] != b"EVAL").then(|| vec![argv[1].clone()]);
    let lost = |lines: &[&str]| written_by(DbIndex(0), &calls(lines), foreign);
    assert_eq!(lost(&["SET a v", "BLPOP queue 0"]), names(&["a", "queue"]));
    assert_eq!(lost(&["SET a v", "EVAL x 0"]), None);
    let told = |lines: &[&str], replies: &[Reply]| {
        have_written(DbIndex(0), &calls(lines), replies, WHEN.dialect, foreign)
    };
    assert_eq!(told(&["SET a v", "LPUSH queue x"], &[Reply::Ok, Reply::Integer(1)]), names(&["a", "queue"]));
    assert_eq!(told(&["EVAL x 0"], &[Reply::Integer(1)]), None);
    assert!(!touch_others(&calls(&["BLPOP queue 0", "SET a v"])));
    assert!(touch_others(&calls(&["BLPOP queue 0", "FLUSHALL"])));
}
