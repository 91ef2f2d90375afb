use redis::{Connection, ExistenceCheck, Expiry, SetExpiry, SetOptions, TypedCommands, Value, cmd};
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("strings: binary", binary),
    ("strings: megabyte", megabyte),
    ("strings: set options", set_options),
    ("strings: older setters, GETEX, GETDEL", setters),
    ("strings: many", many),
    ("strings: ranges", ranges),
    ("strings: LCS", lcs),
    ("strings: counters", counters),
    ("strings: bitmaps", bitmaps),
    ("strings: bitfield", bitfield),
];

fn bytes() -> Vec<u8> {
    (0..=255).chain(*b"\r\n$-1\r\n\0").collect()
}

fn binary(_: &Env, c: &mut Connection) -> Outcome {
    c.set(bytes(), bytes())?;
    eq(redis::Commands::get::<_, Vec<u8>>(c, bytes())?, bytes())?;
    eq(cmd("KEYS").arg("*").query::<Vec<Vec<u8>>>(c)?, [bytes()])?;
    c.set("", "")?;
    eq(c.get("")?.as_deref(), Some(""))?;
    eq(c.get(b"\xff\xfe")?, None)
}

fn megabyte(_: &Env, c: &mut Connection) -> Outcome {
    let value = bytes().repeat(4000);
    c.set("big", &value)?;
    eq(redis::Commands::get::<_, Vec<u8>>(c, "big")? == value, true)?;
    eq(redis::Commands::getrange::<_, Vec<u8>>(c, "big", 500_000, 500_009)?, &value[500_000..500_010])
}

fn set_options(_: &Env, c: &mut Connection) -> Outcome {
    let only = |check| SetOptions::default().conditional_set(check);
    eq(c.set_options("k", "1", only(ExistenceCheck::XX))?, None)?;
    eq(c.set_options("k", "1", only(ExistenceCheck::NX))?.as_deref(), Some("OK"))?;
    eq(c.set_options("k", "2", only(ExistenceCheck::NX))?, None)?;
    eq(c.set_options("k", "2", only(ExistenceCheck::XX).get(true))?.as_deref(), Some("1"))?;
    eq(c.set_options("k", "3", only(ExistenceCheck::NX).get(true))?.as_deref(), Some("2"))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    for expiry in [
        SetExpiry::EX(100),
        SetExpiry::PX(100_000),
        SetExpiry::EXAT(now + 100),
        SetExpiry::PXAT((now + 100) * 1000),
        SetExpiry::KEEPTTL,
    ] {
        c.set_options("k", "v", SetOptions::default().with_expiration(expiry))?;
        let seconds: i64 = cmd("TTL").arg("k").query(c)?;
        eq((95..=100).contains(&seconds), true)?;
    }
    c.set("k", "v")?;
    eq(cmd("TTL").arg("k").query::<i64>(c)?, -1)?;
    fails(c.set_ex("k", "v", 0), "invalid expire time in 'setex' command")
}

fn setters(_: &Env, c: &mut Connection) -> Outcome {
    eq((c.set_nx("k", "a")?, c.set_nx("k", "b")?), (true, false))?;
    c.set_ex("k", "c", 100)?;
    c.pset_ex("k", "d", 100_000)?;
    eq(c.getset("k", "e")?.as_deref(), Some("d"))?;
    eq(c.get_ex("k", Expiry::EX(50))?.as_deref(), Some("e"))?;
    eq(c.get_ex("k", Expiry::PERSIST)?.as_deref(), Some("e"))?;
    eq((c.get_del("k")?.as_deref(), c.get_del("k")?), (Some("e"), None))
}

fn many(_: &Env, c: &mut Connection) -> Outcome {
    c.mset(&[("a", 1), ("b", 2)])?;
    eq((c.mset_nx(&[("b", 3), ("c", 3)])?, c.mset_nx(&[("d", 4)])?), (false, true))?;
    eq(c.mget(&["a", "c", "d"])?, [Some("1".to_owned()), None, Some("4".to_owned())])?;
    eq(c.del(&["a", "b", "c"])?, 2)
}

fn ranges(_: &Env, c: &mut Connection) -> Outcome {
    eq((c.append("k", "Hello")?, c.append("k", " World")?), (5, 11))?;
    eq(c.getrange("k", -5, -1)?, "World")?;
    eq((c.setrange("k", 6, "Redis")?, c.setrange("pad", 3, "x")?, c.strlen("pad")?), (11, 4, 4))?;
    eq((c.get("k")?.as_deref(), c.get("pad")?.as_deref()), (Some("Hello Redis"), Some("\0\0\0x")))
}

fn lcs(_: &Env, c: &mut Connection) -> Outcome {
    c.mset(&[("a", "ohmytext"), ("b", "mynewtext")])?;
    eq(cmd("LCS").arg("a").arg("b").query::<String>(c)?, "mytext")?;
    let found: std::collections::HashMap<String, Value> = cmd("LCS").arg(&["a", "b", "IDX"]).query(c)?;
    eq(found.get("len"), Some(&Value::Int(6)))
}

fn counters(_: &Env, c: &mut Connection) -> Outcome {
    eq((c.incr("n", 10)?, c.decr("n", 3)?, c.incr("n", -2)?), (10, 7, 5))?;
    eq(redis::Commands::incr::<_, _, String>(c, "n", 0.5)?, "5.5")?;
    fails(c.incr("n", 1), "value is not an integer or out of range")?;
    c.set("n", i64::MAX)?;
    fails(c.incr("n", 1), "increment or decrement would overflow")
}

fn bitmaps(_: &Env, c: &mut Connection) -> Outcome {
    eq((c.setbit("b", 7, true)?, c.setbit("b", 7, false)?, c.setbit("b", 9, true)?), (false, true, false))?;
    eq((c.getbit("b", 9)?, c.getbit("b", 9999)?), (true, false))?;
    c.mset(&[("m", "foobar"), ("y", "f")])?;
    eq((c.bitcount("m")?, c.bitcount_range("m", 1, 1)?, c.bit_and("z", &["m", "y"])?), (26, 6, 6))?;
    eq(c.get("z")?.as_deref(), Some("f\0\0\0\0\0"))
}

fn bitfield(_: &Env, c: &mut Connection) -> Outcome {
    let line = "f SET u8 0 200 INCRBY u8 #1 10 GET u4 0 OVERFLOW FAIL INCRBY u8 0 100";
    let replies: Vec<Option<i64>> = cmd("BITFIELD").arg(line.split(' ').collect::<Vec<_>>()).query(c)?;
    eq(replies, [Some(0), Some(10), Some(12), None])
}
