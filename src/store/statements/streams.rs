//! Statements on streams: their rows and entries for the commands that travel in lanes (hot path), and the commands that only read.
//!
//! Of a busy stream there is one live row among any number of dead ones, while somebody holds a snapshot. The planner knows of the live one only, and takes
//! walking the whole index for as cheap as a look-up in it. So no statement leaves it the choice: what is looked up stands in LATERAL with a LIMIT, and
//! rows to be changed are found by `= ANY (ARRAY[...])` on the first column, by which nothing can be sorted and so no index is walked.

use super::{KeyStatement, Statement, object_statement};

/// $1 spaces, $2 keys: the rows of the streams that these keys hold, for keys that are locked by a statement before.
pub static OF_KEYS: KeyStatement = object_statement!(
    "SELECT s.* FROM (SELECT unnest($1::int[]), unnest($2::bytea[])) AS i (space, key)
     CROSS JOIN LATERAL (
         SELECT k.object_id FROM respg.keys", " k WHERE k.space = i.space AND k.key = i.key AND k.type = 6 LIMIT 1) k
     CROSS JOIN LATERAL (
         SELECT object_id, version, length, entries_added, first_id, last_id, max_deleted_id, node_first, node_fields,
                node, node_bytes, node_entries, node_live, max_deliveries, archive
         FROM respg.streams", " s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s"
);

/// $1 object ids.
pub static STREAMS: Statement = Statement::new(
    "SELECT s.* FROM unnest($1::bigint[]) AS i (object_id)
     CROSS JOIN LATERAL (
         SELECT object_id, version, length, entries_added, first_id, last_id, max_deleted_id, node_first, node_fields,
                node, node_bytes, node_entries, node_live, max_deliveries, archive
         FROM respg.streams s WHERE s.object_id = i.object_id ORDER BY s.version DESC LIMIT 1) s",
);

/// The first of a thousand object ids.
pub static OBJECT_IDS: Statement = Statement::new("SELECT nextval('respg.object_id')");

/// Rows of new streams: $1 object ids and, in its order, the other columns.
pub static INSERT: KeyStatement = object_statement!(
    "INSERT INTO respg.streams", " (object_id, version, length, entries_added, first_id, last_id, max_deleted_id, node_first, node_fields,
                node, node_bytes, node_entries, node_live)
     SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::uuid[]), unnest($6::uuid[]),
            unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::bigint[]), unnest($10::int[]), unnest($11::int[]), unnest($12::int[]),
            unnest($13::int[])"
);

/// The next version of rows that are there: $1 to $13 as for INSERT. $14: whether the first entry may be gone; first_id is then moved
/// up to what is the first entry now.
pub static UPDATE: KeyStatement = object_statement!(
    "UPDATE respg.streams", " s
     SET version = i.version, length = i.length, entries_added = i.entries_added,
         first_id = CASE WHEN i.seek THEN coalesce(
             (SELECT e.id FROM respg.stream_entries", " e WHERE e.object_id = i.object_id AND e.id >= i.first_id ORDER BY e.id LIMIT 1),
             i.first_id) ELSE i.first_id END,
         last_id = i.last_id, max_deleted_id = i.max_deleted_id, node_first = i.node_first, node_fields = i.node_fields, node = i.node,
         node_bytes = i.node_bytes, node_entries = i.node_entries, node_live = i.node_live
     FROM (SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::uuid[]), unnest($6::uuid[]),
                  unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::bigint[]), unnest($10::int[]), unnest($11::int[]), unnest($12::int[]),
                  unnest($13::int[]), unnest($14::bool[]))
          AS i (object_id, version, length, entries_added, first_id, last_id, max_deleted_id, node_first, node_fields, node,
                node_bytes, node_entries, node_live, seek)
     WHERE s.object_id = ANY (ARRAY[i.object_id]) AND s.version = i.version - 1"
);

/// $1 object ids, $2 entries' ids, $3 nodes, $4 fields.
pub static INSERT_ENTRIES: KeyStatement = object_statement!(
    "INSERT INTO respg.stream_entries",
    " (object_id, id, node, fields)
     SELECT unnest($1::bigint[]), unnest($2::uuid[]), unnest($3::int[]), unnest($4::bytea[])"
);

/// $1 object ids, $2 entries' ids.
pub static DELETE_ENTRIES: Statement = Statement::new(
    "DELETE FROM respg.stream_entries e USING (SELECT unnest($1::bigint[]), unnest($2::uuid[])) AS i (object_id, id)
     WHERE e.object_id = ANY (ARRAY[i.object_id]) AND e.id = i.id",
);

/// $1 object ids, $2 lowest ids, $3 the ids above the highest.
pub static DELETE_RANGES: Statement = Statement::new(
    "DELETE FROM respg.stream_entries e USING (SELECT unnest($1::bigint[]), unnest($2::uuid[]), unnest($3::uuid[])) AS i (object_id, first, above)
     WHERE e.object_id = ANY (ARRAY[i.object_id]) AND e.id >= i.first AND e.id < i.above",
);

/// The same, left to the sweeper.
pub static LEAVE_RANGES: Statement = Statement::new(
    "INSERT INTO respg.stream_trims (object_id, first_id, end_id) SELECT unnest($1::bigint[]), unnest($2::uuid[]), unnest($3::uuid[])
     ON CONFLICT (object_id, first_id) DO UPDATE SET end_id = greatest(stream_trims.end_id, excluded.end_id)",
);

/// $1 object ids: removes all their entries, and what was left to the sweeper of them.
pub static FORGET_RANGES: Statement = Statement::new(
    "WITH left_over AS (DELETE FROM respg.stream_trims t USING unnest($1::bigint[]) AS i (object_id)
                       WHERE t.object_id = ANY (ARRAY[i.object_id]))
     DELETE FROM respg.stream_entries e USING unnest($1::bigint[]) AS i (object_id)
     WHERE e.object_id = ANY (ARRAY[i.object_id])",
);

/// Entries, groups, consumers and pending entries of $1 for $2, entries from $3 on.
pub static COPY: Statement = Statement::new("SELECT respg.copy_stream($1, $2, $3)");

/// $1 object ids, $2 types: what no key names any more.
pub static DROP_OBJECTS: Statement = Statement::new(
    "INSERT INTO respg.dropped_objects (object_id, type) SELECT unnest($1::bigint[]), unnest($2::smallint[]) ON CONFLICT DO NOTHING",
);

/// $1 object id, $2 lowest id, $3 how many: ids and nodes of the first entries.
pub static HEAD: Statement = Statement::new(
    "SELECT id, node FROM respg.stream_entries WHERE object_id = $1 AND id >= $2 ORDER BY id LIMIT $3",
);

/// $1 object id, $2 lowest id, $3 how many: of the last ones, backwards.
pub static TAIL: Statement = Statement::new(
    "SELECT id, node FROM respg.stream_entries WHERE object_id = $1 AND id >= $2 ORDER BY id DESC LIMIT $3",
);

/// $1 object id, $2 lowest id, $3 place: as many entries from there as a batch has commands, roughly.
pub static FROM: Statement = Statement::new(
    "SELECT id, node FROM respg.stream_entries WHERE object_id = $1 AND id >= $2 ORDER BY id OFFSET $3 LIMIT 1100",
);

/// $1 object id, $2 lowest id, $3 ids: those there are.
pub static PRESENT: Statement = Statement::new(
    "SELECT e.id, e.node FROM unnest($3::uuid[]) AS i (id)
     CROSS JOIN LATERAL (
         SELECT e.id, e.node FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id = i.id AND e.id >= $2 LIMIT 1) e",
);

/// $1 object id, $2 lowest id, $3 the id above the highest.
pub static COUNT_BELOW: Statement =
    Statement::new("SELECT count(*) FROM respg.stream_entries WHERE object_id = $1 AND id >= $2 AND id < $3");

/// $1 db, $2 stored key: type and length.
pub static LENGTH: Statement = Statement::new(
    "SELECT k.type, s.length FROM respg.live_object($1, $2) k
     LEFT JOIN LATERAL (SELECT s.length FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s ON k.type = 6",
);

/// $1 db, $2 stored key, $3 lowest id, $4 highest id, $5 how many. A row without id says that the key is there, and its type.
pub static RANGE: Statement = Statement::new(
    "SELECT k.type, NULL::uuid AS id, NULL::bytea AS fields FROM respg.live_object($1, $2) k
     UNION ALL
     SELECT 6::smallint, e.id, e.fields FROM respg.live_object($1, $2) k
     CROSS JOIN LATERAL (SELECT s.first_id FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s
     CROSS JOIN LATERAL (SELECT e.id, e.fields FROM respg.stream_entries e
         WHERE e.object_id = k.object_id AND e.id >= greatest(s.first_id, $3) AND e.id <= $4 ORDER BY e.id LIMIT $5) e
     WHERE k.type = 6",
);

/// The same backwards.
pub static REVERSE_RANGE: Statement = Statement::new(
    "SELECT k.type, NULL::uuid AS id, NULL::bytea AS fields FROM respg.live_object($1, $2) k
     UNION ALL
     SELECT 6::smallint, e.id, e.fields FROM respg.live_object($1, $2) k
     CROSS JOIN LATERAL (SELECT s.first_id FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s
     CROSS JOIN LATERAL (SELECT e.id, e.fields FROM respg.stream_entries e
         WHERE e.object_id = k.object_id AND e.id >= greatest(s.first_id, $3) AND e.id <= $4 ORDER BY e.id DESC LIMIT $5) e
     WHERE k.type = 6",
);

/// $1 db, $2 stored keys, $3 the ids after which to read (null: `$`), $4 how many of each. Per key that is there a row without entry: its place
/// in $2, type and last id; then the entries.
pub static READ: Statement = Statement::new(
    "WITH k AS MATERIALIZED (
         SELECT i.n, k.type, k.object_id, coalesce(i.after, s.last_id) AS after, s.first_id, s.last_id
         FROM unnest($2::bytea[], $3::uuid[]) WITH ORDINALITY AS i (key, after, n)
         CROSS JOIN LATERAL respg.live_object($1, i.key) k
         LEFT JOIN LATERAL (SELECT s.first_id, s.last_id FROM respg.streams s
             WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s ON k.type = 6)
     SELECT n, type, last_id AS id, NULL::bytea AS fields FROM k
     UNION ALL
     SELECT k.n, k.type, e.id, e.fields FROM k
     CROSS JOIN LATERAL (SELECT e.id, e.fields FROM respg.stream_entries e
         WHERE e.object_id = k.object_id AND e.id > k.after AND e.id >= k.first_id ORDER BY e.id LIMIT $4) e
     WHERE k.type = 6 AND k.after < k.last_id",
);

/// $1 most rows: removes elements of an object that no key names any more, or entries that were trimmed. Says how many.
pub static SWEEP: Statement = Statement::new("SELECT respg.sweep_objects($1)");
