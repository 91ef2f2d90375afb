//! Statements of the group transactions.

use super::Statement;

/// $1 dbs, $2 stored keys, $3 long keys.
pub static WATCH: Statement =
    Statement::new("SELECT index, xmin, live, space, object_version FROM respg.watch($1, $2, $3)");
