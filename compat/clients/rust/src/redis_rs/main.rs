//! redis-rs, in both protocols: the blocking API, and where it differs the asynchronous one.

mod connection;
mod faults;
mod keys;
mod pool;
mod server;
mod strings;
mod transactions;

use redis::{Client, Connection, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult};
use respg_compat_clients::{Outcome, Servers, Tally};

pub struct Env {
    servers: Servers,
    protocol: ProtocolVersion,
}

pub type Check = (&'static str, fn(&Env, &mut Connection) -> Outcome);

impl Env {
    fn settings(&self) -> RedisConnectionInfo {
        RedisConnectionInfo::default().set_db(i64::from(self.servers.db)).set_protocol(self.protocol)
    }

    fn open(&self, address: &(String, u16), settings: RedisConnectionInfo) -> RedisResult<Client> {
        Client::open((address.0.as_str(), address.1).into_connection_info()?.set_redis_settings(settings))
    }

    fn client(&self) -> RedisResult<Client> {
        self.open(&self.servers.open, self.settings())
    }

    fn connect(&self) -> RedisResult<Connection> {
        let mut connection = self.client()?.get_connection()?;
        redis::cmd("CLIENT").arg("SETNAME").arg("compat").exec(&mut connection)?;
        Ok(connection)
    }

    fn connect_locked(&self, settings: RedisConnectionInfo) -> RedisResult<Connection> {
        self.open(&self.servers.locked, settings)?.get_connection()
    }
}

fn main() {
    let topics: [&[Check]; 7] = [
        connection::CHECKS,
        strings::CHECKS,
        keys::CHECKS,
        transactions::CHECKS,
        server::CHECKS,
        faults::CHECKS,
        pool::CHECKS,
    ];
    let mut tally = Tally::default();
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let env = Env { servers: Servers::from_arguments(), protocol };
        for (name, check) in topics.concat() {
            tally.count(&format!("{protocol:?} {name}"), attempt(&env, check));
        }
    }
    tally.finish()
}

fn attempt(env: &Env, check: fn(&Env, &mut Connection) -> Outcome) -> Outcome {
    let mut connection = env.connect()?;
    redis::cmd("FLUSHDB").exec(&mut connection)?;
    check(env, &mut connection)
}
