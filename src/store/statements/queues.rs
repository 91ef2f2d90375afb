//! Statements of RESPG.STREAM, of streams with options, and those that tend queues.

use super::Statement;

/// $1 most entries, $2 their keys (null: any): how many were added to their streams, and in how many seconds the next one is due, if there is one.
pub static ADD_SCHEDULED: Statement = Statement::new(
    "SELECT a.added, respg.next_scheduled() FROM respg.add_scheduled($1, here => $2) AS a (added)",
);

/// The keys of the entries that are due.
pub static DUE_KEYS: Statement =
    Statement::new("SELECT DISTINCT s.key FROM respg.stream_scheduled s WHERE s.due_at <= clock_timestamp()");

/// The object ids of streams that have options, and their keys; null if they are gone.
pub static WITH_OPTIONS: Statement = Statement::new(
    "SELECT o.object_id, p.key FROM respg.stream_options o LEFT JOIN LATERAL respg.place_of(o) p ON true ORDER BY o.object_id",
);

/// $1 object id, $2 most entries: how many were trimmed.
pub static APPLY_RETENTION: Statement = Statement::new("SELECT respg.apply_retention($1, $2)");

/// $1 most rows: how many were removed.
pub static CLEAN_ARCHIVE: Statement = Statement::new("SELECT respg.clean_archive($1)");

/// $1 db, $2 key, $3 dead-letter stream, $4 after so many deliveries, $5 milliseconds in the archive, $6 greatest age, $7 greatest length.
/// 1: done; 0: no such key; -1: it is no stream.
pub static SET_OPTIONS: Statement = Statement::new(
    "SELECT respg.try_set_stream_options($1::int, $2::bytea, $3::bytea, $4::bigint, $5::bigint, $6::bigint, $7::bigint)",
);

/// $1 db, $2 key: the key's type and the options; no row if there is no such key.
pub static GET_OPTIONS: Statement = Statement::new(
    "SELECT k.type, o.dead_letter, o.max_deliveries, o.archive_ms, o.max_age_ms, o.max_length
     FROM respg.live_row($2::bytea, $1::int) k LEFT JOIN respg.stream_options o ON o.object_id = k.object_id",
);

/// $1 db, $2 key, $3 names and values in turn, $4 when, in milliseconds since 1970, or $5 in how many: the entry's number; -1: the key is no stream.
pub static ADD_LATER: Statement =
    Statement::new("SELECT respg.try_xadd_at($1::int, $2::bytea, $3::bytea[], $4::bigint, $5::bigint)");

/// $1 number.
pub static CANCEL: Statement = Statement::new("SELECT respg.xcancel($1)");

/// $1 object ids, $2 group ids, $3 ids, $4 consumer ids, $5 when delivered, $6 how often: acknowledged entries for the archive.
pub static ARCHIVE: Statement = Statement::new("SELECT respg.archive($1, $2, $3, $4, $5, $6)");

/// The same for entries that go to dead-letter streams.
pub static BURY: Statement = Statement::new("SELECT respg.bury($1, $2, $3, $4, $5, $6)");
