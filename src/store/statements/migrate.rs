//! Statements of the migration commands.

use super::Statement;

/// $1 source, $2 run id: databases, their cursors and summaries.
pub static IMPORTED: Statement = Statement::new(
    "SELECT i.db, i.cursor, i.summary FROM respg.imports i WHERE i.source = $1 AND i.run_id = $2",
);

/// $1 source, $2 db, $3 run id, $4 cursor, $5 summary.
pub static KEEP_IMPORTED: Statement = Statement::new(
    "INSERT INTO respg.imports AS i (source, db, run_id, cursor, summary) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (source, db) DO UPDATE SET run_id = $3, cursor = $4, summary = $5",
);

/// $1 source.
pub static FORGET_IMPORTED: Statement = Statement::new("DELETE FROM respg.imports i WHERE i.source = $1");

/// $1 process, $2 upstream, $3 run id. Says that a follower is there, and forgets what was asked of others that are gone.
pub static FOLLOWER_SEEN: Statement = Statement::new(
    "WITH gone AS (DELETE FROM respg.followers f WHERE f.process <> $1 AND f.seen_at < now() - interval '1 hour'),
     old AS (DELETE FROM respg.resyncs r WHERE r.asked_at < now() - interval '1 day')
     INSERT INTO respg.followers AS f (process, upstream, run_id) VALUES ($1, $2, $3)
     ON CONFLICT (process) DO UPDATE SET upstream = $2, run_id = $3, seen_at = now()",
);

/// $1 process.
pub static FOLLOWER_GONE: Statement = Statement::new("DELETE FROM respg.followers f WHERE f.process = $1");

/// The followers that were seen lately: process, upstream, run id.
pub static FOLLOWER: Statement = Statement::new(
    "SELECT f.process, f.upstream, f.run_id FROM respg.followers f
     WHERE f.seen_at > now() - interval '10 seconds' ORDER BY f.process",
);

/// $1 process, $2 db, $3 keys: the request's id. Never one that there was: after a crash of Postgres the table is empty and its own numbers begin anew, while others still
/// wait for the answer to one of them.
pub static ASK_RESYNC: Statement = Statement::new(
    "INSERT INTO respg.resyncs (id, process, db, keys) OVERRIDING SYSTEM VALUE
     VALUES (hashtextextended(gen_random_uuid()::text, 0), $1, $2, $3) RETURNING id",
);

/// $1 process, $2 ids that are under way, $3 how many at most: ids, databases and keys of other requests.
pub static TAKE_RESYNCS: Statement = Statement::new(
    "SELECT r.id, r.db, r.keys FROM respg.resyncs r
     WHERE r.process = $1 AND NOT r.taken AND r.id <> ALL ($2) ORDER BY r.asked_at LIMIT $3",
);

/// $1 id, $2 outcomes.
pub static ANSWER_RESYNC: Statement =
    Statement::new("UPDATE respg.resyncs r SET taken = true, outcomes = $2 WHERE r.id = $1");

/// $1 id: the outcomes, if there are some; no row if the request is gone.
pub static RESYNC_OUTCOMES: Statement =
    Statement::new("SELECT r.outcomes FROM respg.resyncs r WHERE r.id = $1");

/// $1 id.
pub static FORGET_RESYNC: Statement = Statement::new("DELETE FROM respg.resyncs r WHERE r.id = $1");
