//! A server in shadow mode on our database: it writes keys for us.

use bytes::Bytes;

use super::MigrateError;
use super::base::Base;
use super::patient::patiently;
use crate::command::copy::CopyError;
use crate::copy::{Follower, Redis, Resynced};

/// The server in shadow mode, if there is one; its upstream has to be this Redis.
pub async fn find(base: &Base, redis: &Redis) -> Result<Option<Follower>, MigrateError> {
    let Some(follower) = Follower::find(&base.foundation().process().store).await? else { return Ok(None) };
    let another = match redis.run_id() {
        Some(own) if own == follower.run_id => return Ok(Some(follower)),
        Some(_) => "another Redis, ",
        // Who may not ask for INFO has to name it as the server does.
        None if redis.url().place.to_string() == follower.upstream => return Ok(Some(follower)),
        None => "a Redis that may be another one, ",
    };
    let why =
        format!("a server in shadow mode uses this database and follows {another}{}", follower.upstream);
    Err(MigrateError::Other(why))
}

/// Has the keys brought over.
pub async fn brought_over(
    follower: &Follower,
    db: u32,
    keys: &[Bytes],
) -> Result<Vec<Result<Resynced, CopyError>>, MigrateError> {
    match patiently(|| follower.resync(db, keys)).await? {
        Some(outcomes) => Ok(outcomes),
        None => Err(MigrateError::Other(
            "the server in shadow mode, which was to bring keys over, has ended: start again".to_owned(),
        )),
    }
}
