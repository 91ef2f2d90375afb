use fred::prelude::*;
use fred::types::RespVersion;
use respg_compat_clients::{Outcome, PASSWORD, eq, fails, field};

use crate::Env;

crate::checks! {
    "connection: handshake" => handshake,
    "connection: ping, echo, select" => basics,
    "connection: password" => password,
    "connection: password in URL" => password_in_url,
    "connection: no password" => no_password,
    "connection: wrong password" => wrong_password,
    "connection: bad database" => bad_database,
}

async fn handshake(env: &Env, client: &Client) -> Outcome {
    let info: String = client.client_info().await?;
    eq(
        (field(&info, "name"), field(&info, "db")),
        (Some("compat"), Some(env.servers.db.to_string().as_str())),
    )?;
    eq(field(&info, "resp"), Some(if env.version == RespVersion::RESP3 { "3" } else { "2" }))
}

async fn basics(env: &Env, _: &Client) -> Outcome {
    let own = env.connect().await?;
    eq(own.ping::<String>(None).await?, "PONG")?;
    eq(own.ping::<String>(Some("hi".into())).await?, "hi")?;
    let _: () = own.set("where", "own", None, None, false).await?;
    own.select(15).await?;
    eq(own.exists::<i64, _>("where").await?, 0)
}

async fn password(env: &Env, _: &Client) -> Outcome {
    let client = env.connect_locked(|config| config.password = Some(PASSWORD.into())).await?;
    let info: String = client.client_info().await?;
    eq(field(&info, "db"), Some(env.servers.db.to_string().as_str()))?;
    let named = |config: &mut Config| {
        config.username = Some("default".into());
        config.password = Some(PASSWORD.into());
    };
    eq(env.connect_locked(named).await?.ping::<String>(None).await?, "PONG")
}

async fn password_in_url(env: &Env, _: &Client) -> Outcome {
    let (host, port) = &env.servers.locked;
    let config = Config::from_url(&format!("redis://:{PASSWORD}@{host}:{port}/{}", env.servers.db))?;
    let client = Builder::from_config(config).build()?;
    client.init().await?;
    eq(client.ping::<String>(None).await?, "PONG")
}

async fn no_password(env: &Env, _: &Client) -> Outcome {
    fails(env.connect_locked(|_| ()).await.map(drop), "NOAUTH")
}

async fn wrong_password(env: &Env, _: &Client) -> Outcome {
    let refused = env.connect_locked(|config| config.password = Some("wrong".into())).await.map(drop);
    eq(refused.as_ref().map_err(Error::kind), Err(&ErrorKind::Auth))?;
    fails(refused, "WRONGPASS invalid username-password pair or user is disabled.")
}

async fn bad_database(env: &Env, _: &Client) -> Outcome {
    let (host, port) = &env.servers.open;
    let client = Builder::from_config(Config::from_url(&format!("redis://{host}:{port}/99"))?).build()?;
    fails(client.init().await.map(drop), "DB index is out of range")
}
