//! fred, in both protocols.

mod connection;
mod faults;
mod keys;
mod pool;
mod server;
mod strings;
mod transactions;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use fred::prelude::*;
use fred::types::{CustomCommand, RespVersion};
use respg_compat_clients::{Outcome, Servers, Tally};

#[derive(Clone)]
pub struct Env {
    servers: Servers,
    version: RespVersion,
}

impl Env {
    fn config(&self, address: &(String, u16)) -> Config {
        Config {
            server: ServerConfig::new_centralized(&address.0, address.1),
            database: Some(self.servers.db),
            version: self.version.clone(),
            ..Config::default()
        }
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::from_config(self.config(&self.servers.open));
        builder.set_policy(ReconnectPolicy::new_constant(100, 10));
        builder
    }

    async fn connect(&self) -> FredResult<Client> {
        let client = self.builder().build()?;
        client.init().await?;
        Ok(client)
    }

    async fn connect_locked(&self, change: impl FnOnce(&mut Config)) -> FredResult<Client> {
        let mut config = self.config(&self.servers.locked);
        change(&mut config);
        let client = Builder::from_config(config).build()?;
        client.init().await?;
        Ok(client)
    }
}

/// A command fred has no function for, its arguments separated by spaces.
pub async fn custom<R: FromValue>(client: &impl ClientLike, line: &str) -> FredResult<R> {
    let mut words = line.split(' ').map(str::to_owned);
    let command = CustomCommand::new(words.next().unwrap_or_default(), None, false);
    client.custom(command, words.collect::<Vec<_>>()).await
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

pub struct Check {
    name: &'static str,
    run: for<'a> fn(&'a Env, &'a Client) -> Running<'a>,
}

/// The checks of a topic: a table of names and async functions.
#[macro_export]
macro_rules! checks {
    ($($name:literal => $function:ident),* $(,)?) => {
        pub const CHECKS: &[$crate::Check] = &[
            $($crate::Check { name: $name, run: |env, client| Box::pin($function(env, client)) }),*
        ];
    };
}

#[tokio::main]
async fn main() {
    let topics = [
        connection::CHECKS,
        strings::CHECKS,
        keys::CHECKS,
        transactions::CHECKS,
        server::CHECKS,
        faults::CHECKS,
        pool::CHECKS,
    ];
    let mut tally = Tally::default();
    for version in [RespVersion::RESP2, RespVersion::RESP3] {
        let env = Env { servers: Servers::from_arguments(), version };
        for check in topics.iter().copied().flatten() {
            let outcome = tokio::time::timeout(Duration::from_secs(30), attempt(&env, check)).await;
            let outcome = outcome.unwrap_or_else(|_| Err("no end after 30 s".into()));
            tally.count(&format!("{:?} {}", env.version, check.name), outcome);
        }
    }
    tally.finish()
}

async fn attempt(env: &Env, check: &Check) -> Outcome {
    let client = env.connect().await?;
    client.client_setname("compat").await?;
    custom::<()>(&client, "FLUSHDB").await?;
    (check.run)(env, &client).await?;
    Ok(client.quit().await?)
}
