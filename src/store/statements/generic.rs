//! Statements of the group generic.

use super::Statement;

/// $1 db, $2 where to go on (a value of `respg.scan_hash`), $3 how many rows, $4 a type (0: any), $5 a LIKE pattern. All rows of one hash
/// come together. The first row of the answer has no key but the next cursor.
pub static SCAN: Statement = Statement::new(
    "WITH page AS MATERIALIZED (
         SELECT coalesce(k.long_key, k.key) AS key, respg.scan_hash(k.key) AS hash, k.type, k.expires_at
         FROM respg.keys k
         WHERE k.space = (SELECT d.space FROM respg.databases d WHERE d.db = $1) AND respg.scan_hash(k.key) >= $2 AND k.type <> 0
         ORDER BY respg.scan_hash(k.key)
         FETCH FIRST ($3) ROWS WITH TIES)
     SELECT NULL::bytea AS key, CASE WHEN count(*) < $3 THEN 0 ELSE max(hash) + 1 END AS cursor FROM page
     UNION ALL
     SELECT key, NULL FROM page
     WHERE (expires_at IS NULL OR expires_at >= respg.now_ms()) AND ($4::int = 0 OR type = $4) AND key LIKE $5",
);

/// $1 db, $2 lowest key, $3 the key above the highest, $4 a LIKE pattern.
pub static KEYS: Statement = Statement::new("SELECT respg.matching_keys($1, $2, $3, $4)");

/// $1 db.
pub static RANDOMKEY: Statement = Statement::new("SELECT respg.randomkey($1)");
