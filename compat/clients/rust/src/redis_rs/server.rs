use std::collections::HashMap;

use redis::{Connection, ErrorKind, InfoDict, ServerErrorKind, TypedCommands, Value, cmd};
use respg_compat_clients::{Outcome, eq, fails, field};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("server: INFO", info),
    ("server: CONFIG", config),
    ("server: COMMAND", command),
    ("server: CLIENT", clients),
    ("server: odds and ends", odds),
    ("server: errors", errors),
];

fn info(env: &Env, c: &mut Connection) -> Outcome {
    c.set_ex("k", "v", 1000)?;
    let info: InfoDict = cmd("INFO").query(c)?;
    let version: String = info.get("redis_version").ok_or("no redis_version")?;
    eq(version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3)?;
    eq(info.get::<String>("role").as_deref(), Some("master"))?;
    eq(info.get::<String>("maxmemory_policy").as_deref(), Some("noeviction"))?;
    let keyspace: String = info.get(&format!("db{}", env.servers.db)).ok_or("no keyspace")?;
    eq(keyspace.starts_with("keys=1,expires=1,avg_ttl="), true)
}

fn config(_: &Env, c: &mut Connection) -> Outcome {
    let options: HashMap<String, String> =
        cmd("CONFIG").arg(&["GET", "databases", "maxmemory-p*"]).query(c)?;
    eq(
        options,
        HashMap::from(
            [("databases", "16"), ("maxmemory-policy", "noeviction")].map(|(k, v)| (k.into(), v.into())),
        ),
    )?;
    fails(
        cmd("CONFIG").arg(&["SET", "nope", "1"]).exec(c),
        "Unknown option or number of arguments for CONFIG SET - 'nope'",
    )
}

fn command(_: &Env, c: &mut Connection) -> Outcome {
    eq(cmd("COMMAND").arg("COUNT").query::<i64>(c)? > 50, true)?;
    eq(cmd("COMMAND").arg(&["GETKEYS", "MSET", "a", "1", "b", "2"]).query::<Vec<String>>(c)?, ["a", "b"])?;
    let info: Vec<Vec<Value>> = cmd("COMMAND").arg(&["INFO", "get"]).query(c)?;
    eq(&info[0][..2], [Value::BulkString(b"get".to_vec()), Value::Int(2)])
}

fn clients(env: &Env, c: &mut Connection) -> Outcome {
    let mut own = env.connect()?;
    own.client_setname("second")?;
    eq(own.client_getname()?.as_deref(), Some("second"))?;
    let id = own.client_id()?;
    let list: String = cmd("CLIENT").arg("LIST").arg("ID").arg(id).query(c)?;
    eq((field(&list, "name"), field(&list, "id")), (Some("second"), Some(id.to_string().as_str())))?;
    fails(own.client_setname("a b"), "Client names cannot contain spaces")?;
    eq(cmd("CLIENT").arg("UNBLOCK").arg(id).query::<i64>(c)?, 0)
}

fn odds(_: &Env, c: &mut Connection) -> Outcome {
    let (seconds, micros): (u64, u64) = cmd("TIME").query(c)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    eq((seconds.abs_diff(now) < 5, micros < 1_000_000), (true, true))?;
    eq(cmd("ROLE").query::<(String, i64, Vec<Value>)>(c)?, ("master".to_owned(), 0, vec![]))?;
    eq((cmd("WAIT").arg(0).arg(10).query::<i64>(c)?, cmd("DBSIZE").query::<i64>(c)?), (0, 0))?;
    eq(cmd("LASTSAVE").query::<i64>(c)? > 0, true)
}

fn errors(_: &Env, c: &mut Connection) -> Outcome {
    fails(cmd("NOSUCH").arg("a").exec(c), "unknown command 'NOSUCH', with args beginning with: 'a' ")?;
    fails(cmd("CLIENT").arg("NOSUCH").exec(c), "unknown subcommand 'NOSUCH'. Try CLIENT HELP.")?;
    let error = cmd("GET").exec(c).err().ok_or("no error")?;
    eq((error.kind(), error.code()), (ErrorKind::Server(ServerErrorKind::ResponseError), Some("ERR")))?;
    eq(error.detail(), Some("wrong number of arguments for 'get' command"))?;
    eq(c.ping()?, "PONG")
}
