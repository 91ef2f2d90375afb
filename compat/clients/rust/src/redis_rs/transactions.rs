use redis::{
    Connection, ErrorKind, ExistenceCheck, ServerErrorKind, SetExpiry, SetOptions, TypedCommands, Value, cmd,
    pipe, transaction,
};
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("transactions: pipeline of 1000", pipeline),
    ("transactions: MULTI of 1000", multi),
    ("transactions: error inside", error_inside),
    ("transactions: EXECABORT", execabort),
    ("transactions: WATCH", watch),
    ("transactions: transaction()", optimistic),
    ("transactions: lock", lock),
];

fn pipeline(_: &Env, c: &mut Connection) -> Outcome {
    let mut pipeline = pipe();
    for n in 0..500 {
        pipeline.set(format!("p:{n}"), n).ignore().get(format!("p:{n}"));
    }
    eq(pipeline.query::<Vec<i64>>(c)?, (0..500).collect::<Vec<_>>())
}

fn multi(_: &Env, c: &mut Connection) -> Outcome {
    let mut pipeline = pipe();
    pipeline.atomic();
    for _ in 0..1000 {
        pipeline.incr("n", 1);
    }
    eq(pipeline.query::<Vec<i64>>(c)?, (1..=1000).collect::<Vec<_>>())
}

fn error_inside(_: &Env, c: &mut Connection) -> Outcome {
    for atomic in [false, true] {
        let mut pipeline = pipe();
        if atomic {
            pipeline.atomic();
        }
        let result = pipeline.set("k", "text").incr("k", 1).append("k", "!").query::<Value>(c);
        fails(result, "value is not an integer or out of range")?;
        eq(c.get("k")?.as_deref(), Some("text!"))?;
    }
    Ok(())
}

fn execabort(_: &Env, c: &mut Connection) -> Outcome {
    fails(pipe().atomic().set("k", "v").cmd("SET").arg("k").query::<Value>(c), "wrong number of arguments")?;
    cmd("MULTI").exec(c)?;
    fails(cmd("NOSUCH").exec(c), "unknown command 'NOSUCH'")?;
    let aborted = cmd("EXEC").exec(c).err().map(|error| error.kind());
    eq(aborted, Some(ErrorKind::Server(ServerErrorKind::ExecAbort)))?;
    cmd("MULTI").exec(c)?;
    eq(cmd("SET").arg("k").arg("v").query::<Value>(c)?, Value::SimpleString("QUEUED".into()))?;
    cmd("DISCARD").exec(c)?;
    eq(c.exists("k")?, false)
}

fn watch(env: &Env, c: &mut Connection) -> Outcome {
    let mut other = env.connect()?;
    cmd("WATCH").arg("k").arg("l").exec(c)?;
    other.set("l", "1")?;
    eq(pipe().atomic().set("k", "2").query::<Value>(c)?, Value::Nil)?;
    cmd("WATCH").arg("k").exec(c)?;
    cmd("UNWATCH").exec(c)?;
    other.set("k", "3")?;
    eq(pipe().atomic().get("k").query::<(String,)>(c)?, ("3".to_owned(),))
}

fn optimistic(env: &Env, c: &mut Connection) -> Outcome {
    c.set("n", 1)?;
    let mut attempts = 0;
    let (doubled,): (i64,) = transaction(c, &["n"], |c, pipe| {
        let value: i64 = redis::Commands::get(c, "n")?;
        attempts += 1;
        if attempts == 1 {
            env.connect()?.set("n", 10)?;
        }
        pipe.set("n", value * 2).ignore().get("n").query(c)
    })?;
    eq((doubled, attempts), (20, 2))
}

fn lock(env: &Env, me: &mut Connection) -> Outcome {
    let mut you = env.connect()?;
    let options =
        SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::PX(10_000));
    let release = |owner: &mut Connection, token: &str| -> redis::RedisResult<bool> {
        transaction(owner, &["lock"], |owner, pipe| {
            if owner.get("lock")?.as_deref() != Some(token) {
                return Ok(Some(false));
            }
            pipe.del("lock").query::<Option<Value>>(owner).map(|done| done.map(|_| true))
        })
    };
    eq(me.set_options("lock", "me", options.clone())?.as_deref(), Some("OK"))?;
    eq(you.set_options("lock", "you", options.clone())?, None)?;
    eq((release(&mut you, "you")?, release(me, "me")?), (false, true))?;
    eq(you.set_options("lock", "you", options)?.as_deref(), Some("OK"))
}
