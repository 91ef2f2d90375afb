//! The bb8 pool: for whatever does not go through a lane.

use std::time::Duration;

use super::connection::{Commit, Connection};
use super::error::StoreError;
use super::tls::Target;

/// Makes and checks pooled [`Connection`]s.
pub struct Manager {
    target: Target,
    lock_wait: Duration,
}

impl bb8::ManageConnection for Manager {
    type Connection = Connection;
    type Error = StoreError;

    async fn connect(&self) -> Result<Connection, StoreError> {
        Connection::open(&self.target, Commit::Durable, self.lock_wait).await
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), StoreError> {
        match connection.is_closed() {
            true => Err(StoreError::Unavailable("connection closed".into())),
            false => Ok(()),
        }
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_closed() || connection.is_worn() || connection.is_busy()
    }
}

pub type Pool = bb8::Pool<Manager>;
pub type Pooled = bb8::PooledConnection<'static, Manager>;

/// A pool of at most `size` connections; an acquisition waits up to `patience`, a statement a little
/// less for a locked row.
pub fn build(target: &Target, size: u32, patience: Duration) -> Pool {
    bb8::Pool::builder()
        .max_size(size)
        // Those that were used last have their plans and caches; what is not needed any more becomes idle for long enough to be closed.
        .queue_strategy(bb8::QueueStrategy::Lifo)
        .connection_timeout(patience)
        .retry_connection(false)
        .test_on_check_out(true)
        .idle_timeout(Some(Duration::from_secs(300)))
        .build_unchecked(Manager { target: target.clone(), lock_wait: patience.mul_f32(0.8) })
}

/// Takes a connection from the pool.
pub async fn acquire(pool: &Pool) -> Result<Pooled, StoreError> {
    pool.get_owned().await.map_err(|error| match error {
        bb8::RunError::User(error) => error,
        bb8::RunError::TimedOut if pool.state().connections == 0 => StoreError::no_answer(),
        bb8::RunError::TimedOut => StoreError::Unavailable("all pooled connections are busy".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_called_a_busy_pool() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://respg@{}/respg?sslmode=disable", silent.local_addr().unwrap());
        let target = Target::parse(&url).unwrap().with_defaults("respg", Duration::from_secs(10));
        let pool = build(&target, 1, Duration::from_millis(20));
        let Err(error) = acquire(&pool).await else { panic!("connected to a server that says nothing") };
        assert_eq!(error.reason(), "no answer in time");
    }
}
