use std::thread;
use std::time::Duration;

use redis::{AsyncConnectionConfig, AsyncTypedCommands, Connection, TypedCommands, pipe};
use respg_compat_clients::{Failure, Outcome, eq};

use crate::{Check, Env};

pub const CHECKS: &[Check] = &[
    ("pool: fifty threads with r2d2", threads),
    ("pool: fifty tasks on one multiplexed connection", multiplexed),
    ("pool: fifty tasks with a connection each", tasks),
];

fn threads(env: &Env, c: &mut Connection) -> Outcome {
    let pool = r2d2::Pool::builder().max_size(50).build(env.client()?)?;
    let work = || -> Outcome {
        for _ in 0..20 {
            TypedCommands::incr(&mut *pool.get()?, "n", 1)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..50).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })?;
    eq(TypedCommands::get(c, "n")?.as_deref(), Some("1000"))
}

fn multiplexed(env: &Env, c: &mut Connection) -> Outcome {
    concurrently(env, true)?;
    eq(TypedCommands::mget(c, &["n", "m"])?, [Some("1000".to_owned()), Some("1000".to_owned())])
}

fn tasks(env: &Env, c: &mut Connection) -> Outcome {
    concurrently(env, false)?;
    eq(TypedCommands::mget(c, &["n", "m"])?, [Some("1000".to_owned()), Some("1000".to_owned())])
}

fn concurrently(env: &Env, share: bool) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let client = env.client()?;
        // the default of half a second is short for a thousand transactions on one connection
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
        let shared = client.get_multiplexed_async_connection_with_config(&patient).await?;
        let mut tasks = tokio::task::JoinSet::<Outcome>::new();
        for _ in 0..50 {
            let mut own = if share {
                shared.clone()
            } else {
                client.get_multiplexed_async_connection_with_config(&patient).await?
            };
            tasks.spawn(async move {
                for _ in 0..20 {
                    own.incr("n", 1).await?;
                    pipe().atomic().incr("m", 1).exec_async(&mut own).await?;
                }
                Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect::<Result<(), Failure>>()
    })
}
