use std::time::Duration;

use fred::prelude::*;
use fred::types::client::{ClientKillFilter, ClientPauseKind};
use respg_compat_clients::{Outcome, eq};

use crate::Env;

crate::checks! {
    "faults: reconnects after CLIENT KILL" => killed,
    "faults: QUIT" => quit,
    "faults: timeout" => timeout,
}

async fn killed(env: &Env, client: &Client) -> Outcome {
    let victim = env.connect().await?;
    let id: i64 = victim.client_id().await?;
    eq(client.client_kill::<i64>(vec![ClientKillFilter::ID(id.to_string())]).await?, 1)?;
    let _: () = victim.set("k", "v", None, None, false).await?;
    eq(victim.client_id::<i64>().await? > id, true)?;
    eq(client.get::<String, _>("k").await?, "v")
}

async fn quit(env: &Env, _: &Client) -> Outcome {
    let own = env.connect().await?;
    own.quit().await?;
    eq(own.is_connected(), false)
}

async fn timeout(env: &Env, client: &Client) -> Outcome {
    // WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
    let mut builder = env.builder();
    builder.with_performance_config(|config| config.default_command_timeout = Duration::from_millis(100));
    let impatient = builder.build()?;
    impatient.init().await?;
    client.client_pause(400, Some(ClientPauseKind::Write)).await?;
    let late = impatient.set::<(), _, _>("k", "late", None, None, false).await;
    eq(late.map_err(|error| error.kind().clone()), Err(ErrorKind::Timeout))?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    eq(impatient.get::<Option<String>, _>("none").await?, None)
}
