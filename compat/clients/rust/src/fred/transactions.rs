use fred::prelude::*;
use fred::types::SetOptions;
use respg_compat_clients::{Outcome, eq, fails};

use crate::{Env, custom};

crate::checks! {
    "transactions: pipeline of 1000" => pipeline,
    "transactions: MULTI of 1000" => multi,
    "transactions: error inside" => error_inside,
    "transactions: EXECABORT" => execabort,
    "transactions: WATCH" => watch,
    "transactions: lock" => lock,
}

async fn set(client: &impl KeysInterface, key: &str, value: &str) -> FredResult<Value> {
    client.set(key, value, None, None, false).await
}

async fn pipeline(_: &Env, client: &Client) -> Outcome {
    let pipeline = client.pipeline();
    for n in 0..500 {
        set(&pipeline, &format!("p:{n}"), &n.to_string()).await?;
        let _: () = pipeline.get(format!("p:{n}")).await?;
    }
    let replies: Vec<String> = pipeline.all().await?;
    eq(replies, (0..500).flat_map(|n| ["OK".into(), n.to_string()]).collect::<Vec<_>>())
}

async fn multi(_: &Env, client: &Client) -> Outcome {
    let transaction = client.multi();
    for _ in 0..1000 {
        let queued: Value = transaction.incr("n").await?;
        eq(queued.is_queued(), true)?;
    }
    eq(transaction.exec::<Vec<i64>>(true).await?, (1..=1000).collect::<Vec<_>>())
}

async fn error_inside(_: &Env, client: &Client) -> Outcome {
    let pipeline = client.pipeline();
    set(&pipeline, "k", "text").await?;
    let _: () = pipeline.incr("k").await?;
    let _: () = pipeline.append("k", "!").await?;
    let replies = pipeline.try_all::<Value>().await;
    eq(replies.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true])?;
    let transaction = client.multi();
    set(&transaction, "k", "text").await?;
    let _: () = transaction.incr("k").await?;
    let _: () = transaction.append("k", "!").await?;
    fails(transaction.exec::<Value>(false).await, "value is not an integer or out of range")?;
    eq(client.get::<String, _>("k").await?, "text!")
}

async fn execabort(_: &Env, client: &Client) -> Outcome {
    for abort_early in [true, false] {
        let transaction = client.multi();
        set(&transaction, "k", "v").await?;
        let _: Value = custom(&transaction, "SET k").await?;
        let problem = if abort_early { "wrong number of arguments for 'set' command" } else { "EXECABORT" };
        fails(transaction.exec::<Value>(abort_early).await, problem)?;
        eq(client.exists::<i64, _>("k").await?, 0)?;
    }
    Ok(())
}

async fn watch(env: &Env, client: &Client) -> Outcome {
    let other = env.connect().await?;
    client.watch(vec!["k", "l"]).await?;
    set(&other, "l", "1").await?;
    let transaction = client.multi();
    set(&transaction, "k", "2").await?;
    eq(transaction.exec::<Value>(true).await?, Value::Null)?;
    client.watch("k").await?;
    client.unwatch().await?;
    set(&other, "k", "3").await?;
    let transaction = client.multi();
    let _: () = transaction.get("k").await?;
    eq(transaction.exec::<Vec<String>>(true).await?, ["3"])
}

async fn lock(env: &Env, me: &Client) -> Outcome {
    let you = env.connect().await?;
    let take = |client: &Client, token: &'static str| {
        let client = client.clone();
        async move {
            let expiration = Some(Expiration::PX(10_000));
            client.set::<Option<String>, _, _>("lock", token, expiration, Some(SetOptions::NX), false).await
        }
    };
    eq(take(me, "me").await?.as_deref(), Some("OK"))?;
    eq(take(&you, "you").await?, None)?;
    me.watch("lock").await?;
    eq(me.get::<String, _>("lock").await?, "me")?;
    let transaction = me.multi();
    let _: () = transaction.del("lock").await?;
    eq(transaction.exec::<Vec<i64>>(true).await?, [1])?;
    eq(take(&you, "you").await?.as_deref(), Some("OK"))
}
