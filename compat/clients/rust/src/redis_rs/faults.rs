use std::time::Duration;

use redis::aio::ConnectionManagerConfig;
use redis::{AsyncTypedCommands, Connection, ConnectionLike, TypedCommands, cmd};
use respg_compat_clients::{Outcome, eq};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("faults: CLIENT KILL", killed),
    ("faults: ConnectionManager reconnects", manager),
    ("faults: QUIT", quit),
    ("faults: timeout", timeout),
];

fn killed(env: &Env, c: &mut Connection) -> Outcome {
    let mut victim = env.connect()?;
    eq(cmd("CLIENT").arg("KILL").arg("ID").arg(victim.client_id()?).query::<i64>(c)?, 1)?;
    let error = victim.ping().err().ok_or("still alive")?;
    eq((error.is_connection_dropped(), victim.is_open()), (true, false))
}

fn manager(env: &Env, c: &mut Connection) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let settings = ConnectionManagerConfig::new().set_min_delay(Duration::from_millis(1));
        let mut own = env.client()?.get_connection_manager_with_config(settings).await?;
        let id = own.client_id().await?;
        eq(cmd("CLIENT").arg("KILL").arg("ID").arg(id).query::<i64>(c)?, 1)?;
        for _ in 0..100 {
            if own.set("k", "v").await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        eq((own.client_id().await? > id, c.get("k")?.as_deref()), (true, Some("v")))
    })
}

fn quit(env: &Env, c: &mut Connection) -> Outcome {
    let mut own = env.connect()?;
    cmd("QUIT").exec(&mut own)?;
    eq(own.ping().is_err_and(|error| error.is_connection_dropped()), true)?;
    eq(c.ping()?, "PONG")
}

fn timeout(env: &Env, c: &mut Connection) -> Outcome {
    // WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
    let mut impatient = env.connect()?;
    impatient.set_read_timeout(Some(Duration::from_millis(100)))?;
    cmd("CLIENT").arg(&["PAUSE", "400", "WRITE"]).exec(c)?;
    eq(impatient.set("k", "late").is_err_and(|error| error.is_timeout()), true)?;
    c.set("k", "v")?;
    eq(c.get("k")?.as_deref(), Some("v"))
}
