use std::collections::HashSet;
use std::thread::sleep;
use std::time::Duration;

use redis::{Connection, CopyOptions, IntegerReplyOrNoOp, ScanOptions, TypedCommands, Value, ValueType, cmd};
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("keys: expiry", expiry),
    ("keys: expired keys are gone", gone),
    ("keys: scan iterators", scan),
    ("keys: keyspace", keyspace),
    ("keys: rename, copy, move", rename),
    ("keys: objects", objects),
    ("keys: dump, restore", dump),
];

fn expiry(_: &Env, c: &mut Connection) -> Outcome {
    c.set("k", "v")?;
    eq(
        (c.ttl("k")?, c.ttl("none")?),
        (IntegerReplyOrNoOp::ExistsButNotRelevant, IntegerReplyOrNoOp::NotExists),
    )?;
    eq((c.expire("k", 100)?, c.expire("none", 100)?), (true, false))?;
    eq(c.ttl("k")?.raw() > 90, true)?;
    eq((c.pexpire("k", 200_000)?, c.pttl("k")?.raw() > 190_000), (true, true))?;
    eq((c.expire_at("k", 9_999_999_999)?, c.expire_time("k")?.raw()), (true, 9_999_999_999))?;
    eq((c.pexpire_at("k", 9_999_999_999_007)?, c.pexpire_time("k")?.raw()), (true, 9_999_999_999_007))?;
    eq((c.persist("k")?, c.persist("k")?), (true, false))?;
    let mut conditional = |seconds: i32, when| cmd("EXPIRE").arg("k").arg(seconds).arg(when).query::<bool>(c);
    eq((conditional(100, "XX")?, conditional(100, "NX")?, conditional(50, "GT")?), (false, true, false))
}

fn gone(_: &Env, c: &mut Connection) -> Outcome {
    c.pset_ex("k", "v", 30)?;
    sleep(Duration::from_millis(60));
    eq((c.get("k")?, c.exists("k")?, c.keys("*")?), (None, false, vec![]))?;
    eq(c.set_nx("k", "new")?, true)
}

fn scan(_: &Env, c: &mut Connection) -> Outcome {
    let pairs: Vec<(String, usize)> = (0..1000).map(|n| (format!("scan:{n}"), n)).collect();
    c.mset(&pairs)?;
    c.set("other", 1)?;
    let all: HashSet<String> = redis::Commands::scan(c)?.collect::<Result<_, _>>()?;
    eq(all.len(), 1001)?;
    let some: HashSet<String> = redis::Commands::scan_match(c, "scan:*")?.collect::<Result<_, _>>()?;
    eq(some, pairs.into_iter().map(|(key, _)| key).collect::<HashSet<_>>())?;
    let options = ScanOptions::default().with_pattern("oth[a-z]r").with_count(50).with_type("string");
    let one: Vec<String> = redis::Commands::scan_options(c, options)?.collect::<Result<_, _>>()?;
    eq(one, ["other"])
}

fn keyspace(_: &Env, c: &mut Connection) -> Outcome {
    eq(cmd("RANDOMKEY").query::<Option<String>>(c)?, None)?;
    c.mset(&[("a", 1), ("b", 2)])?;
    eq(cmd("EXISTS").arg(&["a", "b", "a", "c"]).query::<i64>(c)?, 3)?;
    eq((c.key_type("a")?, c.key_type("c")?), (ValueType::String, ValueType::None))?;
    eq(cmd("TOUCH").arg(&["a", "c"]).query::<i64>(c)?, 1)?;
    eq((cmd("DBSIZE").query::<i64>(c)?, c.unlink(&["a", "c"])?), (2, 1))
}

fn rename(env: &Env, c: &mut Connection) -> Outcome {
    c.set_ex("a", "1", 100)?;
    c.rename("a", "b")?;
    eq((c.ttl("b")?.raw() > 90, c.exists("a")?), (true, false))?;
    fails(c.rename("a", "b"), "no such key")?;
    c.set("a", "2")?;
    eq((c.rename_nx("a", "b")?, c.copy("a", "b", CopyOptions::default())?), (false, false))?;
    eq(c.copy("a", "b", CopyOptions::default().replace(true))?, true)?;
    let mine = format!("moved:{}", env.servers.db);
    let mut other = env.open(&env.servers.open, env.settings().set_db(15))?.get_connection()?;
    other.del(&mine)?;
    c.set(&mine, "v")?;
    eq(cmd("MOVE").arg(&mine).arg(15).query::<bool>(c)?, true)?;
    eq((c.exists(&mine)?, other.get_del(&mine)?.as_deref()), (false, Some("v")))
}

fn objects(_: &Env, c: &mut Connection) -> Outcome {
    c.mset(&[("int", "123"), ("short", "abc"), ("long", &"x".repeat(45))])?;
    let encodings = [c.object_encoding("int")?, c.object_encoding("short")?, c.object_encoding("long")?];
    eq(encodings.map(Option::unwrap_or_default), ["int", "embstr", "raw"])?;
    eq(c.object_refcount("short")?, Some(1))?;
    eq(c.object_encoding("none")?, None)
}

fn dump(_: &Env, c: &mut Connection) -> Outcome {
    c.set("k", b"\0\xff")?;
    let mut dump: Vec<u8> = cmd("DUMP").arg("k").query(c)?;
    cmd("RESTORE").arg("copy").arg(100_000).arg(&dump).exec(c)?;
    eq(redis::Commands::get::<_, Vec<u8>>(c, "copy")?, b"\0\xff")?;
    fails(cmd("RESTORE").arg("copy").arg(0).arg(&dump).exec(c), "BUSYKEY")?;
    *dump.last_mut().ok_or("empty dump")? ^= 1;
    fails(cmd("RESTORE").arg("x").arg(0).arg(&dump).exec(c), "DUMP payload version or checksum are wrong")?;
    eq(cmd("DUMP").arg("none").query::<Value>(c)?, Value::Nil)
}
