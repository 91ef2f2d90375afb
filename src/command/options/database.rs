//! The number of a logical database, as COPY and MOVE take it.

use crate::command::{Args, CommandError, PlanContext};
use crate::keyspace::DbIndex;

/// Takes the next word as a database that exists. Errors: not an integer; beyond 32 bits; no such database.
pub fn database(args: &mut Args, context: &PlanContext) -> Result<DbIndex, CommandError> {
    let number = i32::try_from(args.integer()?).map_err(|_| CommandError::NOT_32_BIT)?;
    existing(number, context)
}

/// The database of this number, if there is one.
pub fn existing(number: i32, context: &PlanContext) -> Result<DbIndex, CommandError> {
    let db = u32::try_from(number).ok().filter(|db| *db < context.databases);
    db.map(DbIndex).ok_or(CommandError::DB_OUT_OF_RANGE)
}
