use std::collections::HashMap;

use fred::prelude::*;
use respg_compat_clients::{Outcome, eq, fails, field};

use crate::{Env, custom};

crate::checks! {
    "server: INFO" => info,
    "server: CONFIG" => config,
    "server: COMMAND" => command,
    "server: CLIENT" => clients,
    "server: errors" => errors,
}

async fn info(env: &Env, client: &Client) -> Outcome {
    let _: () = client.set("k", "v", Some(Expiration::EX(1000)), None, false).await?;
    let info: String = client.info(None).await?;
    let keyspace = format!("\r\ndb{}:keys=1,expires=1,avg_ttl=", env.servers.db);
    eq(
        ["\r\nrole:master\r\n", "\r\nmaxmemory_policy:noeviction\r\n", &keyspace]
            .map(|part| info.contains(part)),
        [true; 3],
    )?;
    let version = client.server_version().ok_or("fred found no server version")?;
    eq(version.major >= 7, true)
}

async fn config(_: &Env, client: &Client) -> Outcome {
    let options: HashMap<String, String> = client.config_get("databases").await?;
    eq(options, HashMap::from([("databases".to_owned(), "16".to_owned())]))?;
    fails(
        client.config_set("nope", "1").await,
        "Unknown option or number of arguments for CONFIG SET - 'nope'",
    )
}

async fn command(_: &Env, client: &Client) -> Outcome {
    eq(custom::<i64>(client, "COMMAND COUNT").await? > 50, true)?;
    eq(custom::<Vec<String>>(client, "COMMAND GETKEYS MSET a 1 b 2").await?, ["a", "b"])
}

async fn clients(env: &Env, client: &Client) -> Outcome {
    let own = env.connect().await?;
    own.client_setname("second").await?;
    eq(own.client_getname::<String>().await?, "second")?;
    let id: i64 = own.client_id().await?;
    let list: String = client.client_list::<_, String>(None, Some(vec![id.to_string()])).await?;
    eq((field(&list, "name"), field(&list, "id")), (Some("second"), Some(id.to_string().as_str())))?;
    fails(own.client_setname("a b").await, "Client names cannot contain spaces")?;
    eq(client.client_unblock::<i64, _>(id, None).await?, 0)?;
    eq((client.lastsave::<i64>().await? > 0, client.slowlog_length::<i64>().await? >= 0), (true, true))?;
    eq(client.wait::<i64>(0, 10).await?, 0)
}

async fn errors(_: &Env, client: &Client) -> Outcome {
    fails(
        custom::<()>(client, "NOSUCH a").await,
        "unknown command 'NOSUCH', with args beginning with: 'a' ",
    )?;
    fails(custom::<()>(client, "CLIENT NOSUCH").await, "unknown subcommand 'NOSUCH'. Try CLIENT HELP.")?;
    let error = custom::<()>(client, "GET").await.err().ok_or("no error")?;
    eq(error.details(), "ERR wrong number of arguments for 'get' command")?;
    eq(client.ping::<String>(None).await?, "PONG")
}
