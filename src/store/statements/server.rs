//! Statements of the server group, and those of the process itself.

use super::Statement;

/// The first of a million client ids.
pub static CLIENT_ID_BLOCK: Statement = Statement::new("SELECT nextval('respg.client_id_block')");

/// $1 db.
pub static DBSIZE: Statement = Statement::new("SELECT respg.dbsize($1)");

/// $1 db.
pub static FLUSHDB: Statement = Statement::new("SELECT respg.flushdb($1)");

pub static FLUSHALL: Statement = Statement::new("SELECT respg.flushall()");

/// $1 and $2 databases.
pub static SWAPDB: Statement = Statement::new("SELECT respg.swapdb($1, $2)");
