//! Statements of shadow mode.

use super::{Statement, listens};

/// $1 process, $2 status, $3 differences, $4 foreign commands, $5 unsupported types, as JSON in UTF-8; $6 whether it follows, so that these types are to be remembered.
pub static TELL: Statement = Statement::new(
    "WITH met AS (
         INSERT INTO respg.unsupported_types (name)
         SELECT jsonb_object_keys(convert_from($5::bytea, 'UTF8')::jsonb) WHERE $6::boolean ON CONFLICT DO NOTHING)
     INSERT INTO respg.shadow_reports AS r (process, told_at, status, differences, foreign_commands, unsupported_types)
     SELECT convert_from($1::bytea, 'UTF8'), clock_timestamp(), convert_from($2::bytea, 'UTF8')::jsonb,
            convert_from($3::bytea, 'UTF8')::jsonb, convert_from($4::bytea, 'UTF8')::jsonb, convert_from($5::bytea, 'UTF8')::jsonb
     ON CONFLICT (process) DO UPDATE SET told_at = excluded.told_at, status = excluded.status, differences = excluded.differences,
            foreign_commands = excluded.foreign_commands, unsupported_types = excluded.unsupported_types",
);

/// $1 name, $2 process: whether there was one of this name that has not ended cleanly.
pub static BEGIN_RUN: Statement = Statement::new(
    "WITH before AS (SELECT 1 FROM respg.shadow_runs r WHERE r.name = $1),
     now AS (INSERT INTO respg.shadow_runs AS r (name, process) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET process = $2, begun_at = now())
     SELECT EXISTS (SELECT 1 FROM before)",
);

/// $1 name.
pub static END_RUN: Statement = Statement::new("DELETE FROM respg.shadow_runs r WHERE r.name = $1");

/// The types that are remembered.
pub static UNSUPPORTED_TYPES: Statement = Statement::new("SELECT t.name FROM respg.unsupported_types t");

pub static FORGET_TYPES: Statement = Statement::new("DELETE FROM respg.unsupported_types");

/// Some of what was written outside of commands: id, database and key, which is null for whole databases.
pub static CHANGED_KEYS: Statement =
    Statement::new("SELECT c.id, c.db, c.key FROM respg.changed_keys c ORDER BY c.id LIMIT 1000");

/// $1 ids.
pub static FORGET_CHANGED: Statement =
    Statement::new("DELETE FROM respg.changed_keys c WHERE c.id = ANY ($1::bigint[])");

/// $1 key, $2 db: has the key brought over, if the mode is reverse.
pub static CHANGED: Statement = Statement::new("SELECT respg.changed($1::bytea, $2::int)");

/// $1 db, $2 keys: those whose rows somebody has locked at the moment.
pub static LOCKED_KEYS: Statement = Statement::new(
    "WITH named AS MATERIALIZED (
         SELECT i.key, respg.stored_key(i.key) AS stored, (SELECT d.space FROM respg.databases d WHERE d.db = $1::int) AS space
         FROM unnest($2::bytea[]) AS i (key)),
     there AS MATERIALIZED (
         SELECT n.key, n.stored FROM named n
         CROSS JOIN LATERAL (SELECT FROM respg.keys k WHERE k.space = n.space AND k.key = n.stored LIMIT 1) k),
     free AS MATERIALIZED (
         SELECT k.key FROM named n
         CROSS JOIN LATERAL (SELECT k.key FROM respg.keys k WHERE k.space = n.space AND k.key = n.stored FOR NO KEY UPDATE SKIP LOCKED) k)
     SELECT t.key FROM there t WHERE NOT EXISTS (SELECT 1 FROM free f WHERE f.key = t.stored)",
);

/// $1 name: other runs whose process is gone.
pub static DEAD_RUNS: Statement = Statement::new(concat!(
    "SELECT r.name FROM respg.shadow_runs r WHERE r.name <> $1 AND NOT ",
    listens!("r.process")
));
