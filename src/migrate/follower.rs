//! A server in shadow mode on our database: it writes keys for us.

use bytes::Bytes;

use super::MigrateError;
use super::base::Base;
use crate::command::copy::CopyError;
use crate::copy::{Follower, Redis, Resynced};

/// The server in shadow mode, if there is one; its upstream has to be this Redis.
pub async fn find(base: &Base, redis: &Redis) -> Result<Option<Follower>, MigrateError> {
    match Follower::find(&base.foundation().process().store).await? {
        Some(follower) if redis.run_id().is_some_and(|own| own != follower.run_id) => {
            Err(MigrateError::Other(format!(
                "a server in shadow mode uses this database and follows another Redis, {}",
                follower.upstream
            )))
        }
        found => Ok(found),
    }
}

/// Has the keys brought over.
pub async fn brought_over(
    follower: &Follower,
    db: u32,
    keys: &[Bytes],
) -> Result<Vec<Result<Resynced, CopyError>>, MigrateError> {
    match follower.resync(db, keys).await? {
        Some(outcomes) => Ok(outcomes),
        None => Err(MigrateError::Other(
            "the server in shadow mode, which was to bring keys over, has ended: start again".to_owned(),
        )),
    }
}
