use fred::prelude::*;
use respg_compat_clients::{Failure, Outcome, eq};
use tokio::task::JoinSet;

use crate::Env;

crate::checks! {
    "pool: fifty tasks on a pool" => pool,
    "pool: optimistic writers on an exclusive pool" => exclusive,
}

async fn pool(env: &Env, client: &Client) -> Outcome {
    let pool = env.builder().build_pool(50)?;
    pool.init().await?;
    let mut tasks = JoinSet::<Outcome>::new();
    for _ in 0..50 {
        let own = pool.next().clone();
        tasks.spawn(async move {
            for _ in 0..20 {
                let _: i64 = own.incr("n").await?;
                let transaction = own.multi();
                let _: () = transaction.incr("m").await?;
                let _: () = transaction.incr_by_float("f", 0.5).await?;
                let _: Value = transaction.exec(true).await?;
            }
            Ok(())
        });
    }
    tasks.join_all().await.into_iter().collect::<Result<(), Failure>>()?;
    pool.quit().await?;
    eq(client.mget::<Vec<i64>, _>(vec!["n", "m", "f"]).await?, [1000, 1000, 500])
}

async fn exclusive(env: &Env, client: &Client) -> Outcome {
    let pool = env.builder().build_exclusive_pool(10)?;
    pool.init().await?;
    let mut tasks = JoinSet::<Outcome>::new();
    for _ in 0..50 {
        let pool = pool.clone();
        tasks.spawn(async move {
            let own = pool.acquire().await;
            loop {
                own.watch("n").await?;
                let value = own.get::<Option<i64>, _>("n").await?.unwrap_or_default();
                let transaction = own.multi();
                let _: () = transaction.set("n", value + 1, None, None, false).await?;
                if !transaction.exec::<Value>(true).await?.is_null() {
                    return Ok(());
                }
            }
        });
    }
    tasks.join_all().await.into_iter().collect::<Result<(), Failure>>()?;
    pool.quit().await?;
    eq(client.get::<i64, _>("n").await?, 50)
}
