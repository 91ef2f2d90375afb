//! Statements for keys that clients wait for.

use super::Statement;

/// $1 dbs, $2 stored keys: place (from 0) and version of each key that is there, the version of the object it names, and how many parts that has.
pub static VERSIONS: Statement = Statement::new(
    "SELECT (i.place - 1)::integer, k.xmin, respg.object_version(k.type, k.object_id), respg.object_parts(k.type, k.object_id)
     FROM unnest($1::integer[], $2::bytea[]) WITH ORDINALITY AS i (db, key, place)
     JOIN respg.databases d ON d.db = i.db
     CROSS JOIN LATERAL (SELECT k.xmin, k.type, k.expires_at, k.object_id FROM respg.keys k
         WHERE k.space = d.space AND k.key = i.key LIMIT 1) k
     WHERE k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= respg.now_ms())",
);
