use redis::{Client, Connection, ErrorKind, RedisConnectionInfo, ServerErrorKind, TypedCommands, cmd};
use respg_compat_clients::{Outcome, PASSWORD, eq, fails, field};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("connection: handshake", handshake),
    ("connection: ping, echo, select", basics),
    ("connection: password", password),
    ("connection: password in URL", password_in_url),
    ("connection: no password", no_password),
    ("connection: wrong password", wrong_password),
    ("connection: bad database", bad_database),
];

fn info(c: &mut Connection) -> redis::RedisResult<String> {
    cmd("CLIENT").arg("INFO").query(c)
}

fn handshake(env: &Env, c: &mut Connection) -> Outcome {
    let line = info(c)?;
    eq(field(&line, "name"), Some("compat"))?;
    eq(field(&line, "db"), Some(env.servers.db.to_string().as_str()))?;
    eq(field(&line, "resp"), Some(if env.protocol.supports_resp3() { "3" } else { "2" }))?;
    match field(&line, "lib-name") {
        Some(library) => eq(library, "redis-rs"),
        None => Ok(()), // Redis before 7.2
    }
}

fn basics(_: &Env, c: &mut Connection) -> Outcome {
    eq(c.ping()?, "PONG")?;
    eq(c.ping_message("hi")?, "hi")?;
    eq(cmd("ECHO").arg(b"\0\xff").query::<Vec<u8>>(c)?, b"\0\xff")?;
    c.set("where", "own")?;
    cmd("SELECT").arg(15).exec(c)?;
    eq(c.exists("where")?, false)
}

fn password(env: &Env, _: &mut Connection) -> Outcome {
    let mut c = env.connect_locked(env.settings().set_password(PASSWORD))?;
    let line = info(&mut c)?;
    eq(field(&line, "db"), Some(env.servers.db.to_string().as_str()))?;
    let mut c = env.connect_locked(env.settings().set_username("default").set_password(PASSWORD))?;
    eq(c.ping()?, "PONG")
}

fn password_in_url(env: &Env, _: &mut Connection) -> Outcome {
    let (host, port) = &env.servers.locked;
    let protocol = if env.protocol.supports_resp3() { "resp3" } else { "resp2" };
    let url = format!("redis://:{PASSWORD}@{host}:{port}/{}?protocol={protocol}", env.servers.db);
    eq(Client::open(url)?.get_connection()?.ping()?, "PONG")
}

fn no_password(env: &Env, _: &mut Connection) -> Outcome {
    let settings = RedisConnectionInfo::default().set_protocol(env.protocol);
    fails(env.connect_locked(settings).and_then(|mut c| c.get("k")), "NOAUTH")
}

fn wrong_password(env: &Env, _: &mut Connection) -> Outcome {
    let refused = env.connect_locked(env.settings().set_password("wrong")).err().ok_or("connected")?;
    // redis-rs sees AUTH's refusal as its own kind, but not HELLO's
    eq(refused.kind() == ErrorKind::AuthenticationFailed || refused.code() == Some("WRONGPASS"), true)
}

fn bad_database(env: &Env, _: &mut Connection) -> Outcome {
    let client = env.open(&env.servers.open, env.settings().set_db(9999))?;
    let refused = client.get_connection().err().ok_or("connected")?;
    eq(refused.kind(), ErrorKind::Server(ServerErrorKind::ResponseError))
}
