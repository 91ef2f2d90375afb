//! Statements of the sweeper.

use super::{KeyStatement, Statement, key_statement};

/// One part of a table, if it is due and no other process is at it. $1 how many blocks, $2 most rows to remove, $3 seconds until the next part,
/// $4 until the next pass. Answers the first block, how many blocks the table has, how many rows were removed and how many of
/// them were keys that had expired; if $5 says so, which keys of which databases. What others have locked is left for the next time. If there was more to remove the
/// next part begins at the same block.
pub static SWEEP: KeyStatement = key_statement!(
    "WITH turn AS MATERIALIZED (
         SELECT s.next_block AS first, pg_relation_size(s.relation::regclass) / current_setting('block_size')::bigint AS blocks,
                set_config('synchronous_commit', 'off', true)
         FROM respg.sweep s
         WHERE s.relation = '", "' AND s.due <= now()
         FOR UPDATE SKIP LOCKED),
     dead AS MATERIALIZED (
         SELECT k.ctid FROM ", " k
         WHERE k.ctid >= (SELECT format('(%s,0)', first)::tid FROM turn) AND k.ctid < (SELECT format('(%s,0)', first + $1::bigint)::tid FROM turn)
           AND (k.expires_at < (SELECT respg.now_ms()) OR k.space IN (SELECT space FROM respg.dropped_spaces))
         LIMIT $2
         FOR UPDATE OF k SKIP LOCKED),
     removed AS (
         DELETE FROM ", " k USING dead WHERE k.ctid = dead.ctid
         RETURNING k.type, k.expires_at, k.object_id, k.space, CASE WHEN $5 THEN coalesce(k.long_key, k.key) END AS name),
     -- Their elements go by and by.
     dropped AS (
         INSERT INTO respg.dropped_objects (object_id, type) SELECT object_id, type FROM removed WHERE object_id IS NOT NULL
         ON CONFLICT DO NOTHING),
     told AS (
         SELECT array_agg(b.db ORDER BY r.name, b.db) AS dbs, array_agg(r.name ORDER BY r.name, b.db) AS names
         FROM removed r JOIN respg.databases b ON b.space = r.space
         WHERE $5 AND r.type <> 0 AND r.expires_at < respg.now_ms()),
     progress AS (
         UPDATE respg.sweep s
         SET next_block = CASE WHEN more THEN first WHEN ended THEN 0 ELSE first + $1 END,
             due = now() + make_interval(secs => CASE WHEN ended AND NOT more THEN $4::float8 ELSE $3::float8 END)
         FROM (SELECT first, first + $1 >= blocks AS ended, (SELECT count(*) FROM dead) >= $2 AS more FROM turn) part
         WHERE s.relation = '", "')
     SELECT first, blocks, (SELECT count(*) FROM removed),
            (SELECT count(*) FROM removed WHERE type <> 0 AND expires_at < respg.now_ms()),
            (SELECT dbs FROM told), (SELECT names FROM told)
     FROM turn"
);

/// Whether the planner knows something about a table's keys.
pub static HAS_STATISTICS: KeyStatement = key_statement!(
    "SELECT EXISTS (SELECT FROM pg_stats s
                    WHERE s.schemaname = 'respg' AND s.tablename = split_part('",
    "', '.', 2) AND s.attname = 'key')"
);

/// Looks at a sample of a table, for the planner.
pub static ANALYZE: KeyStatement = key_statement!("ANALYZE ", "");

/// Makes the rows of `respg.sweep`, which a crash of Postgres empties.
pub static BEGIN_SWEEPING: Statement = Statement::new(
    "INSERT INTO respg.sweep (relation) VALUES ('respg.keys_logged'), ('respg.keys_unlogged') ON CONFLICT DO NOTHING",
);

/// Forgets dropped spaces that have no rows any more.
pub static FORGET_SPACES: Statement = Statement::new(
    "DELETE FROM respg.dropped_spaces d WHERE (SELECT 1 FROM respg.keys k WHERE k.space = d.space LIMIT 1) IS NULL",
);

/// Removes those of these keys (spaces, stored keys) that have expired, and says which they were.
pub static EXPIRE_KEYS: Statement = Statement::new("SELECT * FROM respg.expire_keys($1, $2)");
