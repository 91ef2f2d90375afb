//! Statements that tend queues.

use super::Statement;

/// $1 most entries: how many were added to their streams, and in how many seconds the next one is due, if there is one.
pub static ADD_SCHEDULED: Statement =
    Statement::new("SELECT a.added, respg.next_scheduled() FROM respg.add_scheduled($1) AS a (added)");

/// The object ids of streams that have options.
pub static WITH_OPTIONS: Statement =
    Statement::new("SELECT o.object_id FROM respg.stream_options o ORDER BY o.object_id");

/// $1 object id, $2 most entries: how many were trimmed.
pub static APPLY_RETENTION: Statement = Statement::new("SELECT respg.apply_retention($1, $2)");

/// $1 most rows: how many were removed.
pub static CLEAN_ARCHIVE: Statement = Statement::new("SELECT respg.clean_archive($1)");
