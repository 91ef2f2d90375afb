//! Statements on consumer groups. Those that load take names and find the numbers themselves, so that all that a command
//! needs travels at once; a group that is not there gives no rows. LATERAL and ANY: see streams.rs.

use super::{KeyStatement, Statement, object_statement};

/// $1 object id, $2 stored name: a group's row.
pub static GROUP: Statement = Statement::new(
    "SELECT g.group_id, c.version, c.last_id, c.pending_from, c.entries_read, c.last_consumer FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     WHERE g.object_id = $1 AND g.name = $2",
);

/// The same with the first entry that is pending, whether there are any after the cursor, and the first entry from $3 on.
pub static GROUP_WITH_BOUNDS: Statement = Statement::new(
    "SELECT g.group_id, c.version, c.last_id, c.pending_from, c.entries_read, c.last_consumer,
            (SELECT p.id FROM respg.stream_pending p WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id >= c.pending_from
             ORDER BY p.id LIMIT 1) AS first_pending,
            EXISTS (SELECT FROM respg.stream_pending p WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id > c.last_id) AS ahead,
            (SELECT e.id FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id >= $3 ORDER BY e.id LIMIT 1) AS first_entry
     FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     WHERE g.object_id = $1 AND g.name = $2",
);

/// $1 object id: the highest number that a group of it has, or had and is not swept yet.
pub static HIGHEST_GROUP: Statement = Statement::new(
    "SELECT greatest((SELECT max(g.group_id) FROM respg.stream_groups g WHERE g.object_id = $1),
                     (SELECT max(d.group_id) FROM respg.dropped_groups d WHERE d.object_id = $1), 0)",
);

/// $1 object id, $2 the group's stored name, $3 stored names: place in $3 and row of these consumers.
pub static CONSUMERS: Statement = Statement::new(
    "SELECT i.i, c.consumer_id, a.version, a.seen_at, a.active_at FROM respg.stream_groups g
     CROSS JOIN unnest($3::bytea[]) WITH ORDINALITY AS i (name, i)
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_consumers c
         WHERE c.object_id = $1 AND c.group_id = g.group_id AND c.name = i.name LIMIT 1) c
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_activity a
         WHERE a.object_id = $1 AND a.group_id = g.group_id AND a.consumer_id = c.consumer_id ORDER BY a.version DESC LIMIT 1) a
     WHERE g.object_id = $1 AND g.name = $2",
);

/// $1 object id, $2 the group's stored name, $3 lowest id, $4 how many: the entries after the group's cursor.
pub static NEW: Statement = Statement::new(
    "SELECT e.id, e.fields FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     CROSS JOIN LATERAL (SELECT e.id, e.fields FROM respg.stream_entries e
         WHERE e.object_id = $1 AND e.id > c.last_id AND e.id >= $3 ORDER BY e.id LIMIT $4) e
     WHERE g.object_id = $1 AND g.name = $2",
);

/// $1 object id, $2 the id before, $3 lowest id, $4 how many.
pub static AFTER: Statement = Statement::new(
    "SELECT e.id, e.fields FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id > $2 AND e.id >= $3 ORDER BY e.id LIMIT $4",
);

/// $1 object id, $2 ids, $3 whether with fields.
pub static ENTRIES: Statement = Statement::new(
    "SELECT e.id, CASE WHEN $3 THEN e.fields END AS fields FROM unnest($2::uuid[]) AS i (id)
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id = i.id LIMIT 1) e",
);

/// $1 object id, $2 the group's stored name, $3 ids: those that are pending.
pub static PENDING: Statement = Statement::new(
    "SELECT p.id, p.consumer_id, p.delivered_at, p.deliveries FROM respg.stream_groups g
     CROSS JOIN unnest($3::uuid[]) AS i (id)
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_pending p
         WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id = i.id LIMIT 1) p
     WHERE g.object_id = $1 AND g.name = $2",
);

/// $1 object id, $2 the group's stored name, $3 an id, $4 how many: what is pending from there on, and whether the entries are there.
pub static SCAN: Statement = Statement::new(
    "SELECT p.id, p.consumer_id, p.delivered_at, p.deliveries, NULL::bytea AS fields,
            EXISTS (SELECT FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id = p.id) AS present
     FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_pending p
         WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id >= c.pending_from AND p.id >= $3 ORDER BY p.id LIMIT $4) p
     WHERE g.object_id = $1 AND g.name = $2
     ORDER BY p.id",
);

/// The same of one consumer, $5 its stored name, with the entries' fields.
pub static HISTORY: Statement = Statement::new(
    "SELECT p.id, p.consumer_id, p.delivered_at, p.deliveries, e.fields, e.id IS NOT NULL AS present
     FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_consumers o
         WHERE o.object_id = $1 AND o.group_id = g.group_id AND o.name = $5 LIMIT 1) o
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_pending p
         WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id >= c.pending_from AND p.id >= $3 AND p.consumer_id = o.consumer_id
         ORDER BY p.id LIMIT $4) p
     LEFT JOIN LATERAL (SELECT * FROM respg.stream_entries e WHERE e.object_id = $1 AND e.id = p.id LIMIT 1) e ON true
     WHERE g.object_id = $1 AND g.name = $2
     ORDER BY p.id",
);

/// $1 object id, $2 the group's stored name, $3 a consumer's: how many entries it has pending.
pub static COUNT: Statement = Statement::new(
    "SELECT count(*) FROM respg.stream_groups g
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_consumers o
         WHERE o.object_id = $1 AND o.group_id = g.group_id AND o.name = $3 LIMIT 1) o
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = $1 AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     CROSS JOIN LATERAL (SELECT FROM respg.stream_pending p
         WHERE p.object_id = $1 AND p.group_id = g.group_id AND p.id >= c.pending_from AND p.consumer_id = o.consumer_id OFFSET 0) p
     WHERE g.object_id = $1 AND g.name = $2",
);

/// $1 object ids, $2 group ids: groups that are destroyed; what is pending in them is left to the sweeper.
pub static DESTROY_GROUPS: Statement = Statement::new(
    "WITH i (object_id, group_id) AS MATERIALIZED (SELECT unnest($1::bigint[]), unnest($2::int[])),
          a AS (DELETE FROM respg.stream_activity a USING i WHERE a.object_id = ANY (ARRAY[i.object_id]) AND a.group_id = i.group_id),
          o AS (DELETE FROM respg.stream_consumers o USING i WHERE o.object_id = ANY (ARRAY[i.object_id]) AND o.group_id = i.group_id),
          c AS (DELETE FROM respg.stream_cursors c USING i WHERE c.object_id = ANY (ARRAY[i.object_id]) AND c.group_id = i.group_id),
          g AS (DELETE FROM respg.stream_groups g USING i WHERE g.object_id = ANY (ARRAY[i.object_id]) AND g.group_id = i.group_id)
     INSERT INTO respg.dropped_groups (object_id, group_id) SELECT object_id, group_id FROM i ON CONFLICT DO NOTHING",
);

/// $1 object ids, $2 group ids, $3 consumer ids: consumers that are deleted with all that they have pending.
pub static DELETE_CONSUMERS: Statement = Statement::new(
    "WITH i AS MATERIALIZED (
              SELECT i.*, c.pending_from FROM (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::int[])) AS i (object_id, group_id, consumer_id)
              CROSS JOIN LATERAL (SELECT c.pending_from FROM respg.stream_cursors c
                  WHERE c.object_id = i.object_id AND c.group_id = i.group_id ORDER BY c.version DESC LIMIT 1) c),
          p AS (DELETE FROM respg.stream_pending p USING i
                WHERE p.object_id = ANY (ARRAY[i.object_id]) AND p.group_id = i.group_id AND p.id >= i.pending_from
                    AND p.consumer_id = i.consumer_id),
          a AS (DELETE FROM respg.stream_activity a USING i
                WHERE a.object_id = ANY (ARRAY[i.object_id]) AND a.group_id = i.group_id AND a.consumer_id = i.consumer_id)
     DELETE FROM respg.stream_consumers o USING i
     WHERE o.object_id = ANY (ARRAY[i.object_id]) AND o.group_id = i.group_id AND o.consumer_id = i.consumer_id",
);

/// $1 object ids, $2 group ids, $3 stored names, $4 long names.
pub static INSERT_GROUPS: Statement = Statement::new(
    "INSERT INTO respg.stream_groups (object_id, group_id, name, long_name)
     SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::bytea[]), unnest($4::bytea[])",
);

/// $1 object ids, $2 group ids, $3 last ids, $4 bounds of what is pending, $5 entries read, $6 last consumers.
pub static INSERT_CURSORS: Statement = Statement::new(
    "INSERT INTO respg.stream_cursors (object_id, group_id, version, last_id, pending_from, entries_read, last_consumer)
     SELECT object_id, group_id, 1, last_id, pending_from, entries_read, last_consumer
     FROM (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::uuid[]), unnest($4::uuid[]), unnest($5::bigint[]), unnest($6::int[]))
          AS i (object_id, group_id, last_id, pending_from, entries_read, last_consumer)",
);

/// The same for rows that are there, $7 their versions.
pub static UPDATE_CURSORS: KeyStatement = object_statement!(
    "UPDATE respg.stream_cursors", " c
     SET version = i.version + 1, last_id = i.last_id, pending_from = i.pending_from, entries_read = i.entries_read,
         last_consumer = i.last_consumer
     FROM (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::uuid[]), unnest($4::uuid[]), unnest($5::bigint[]), unnest($6::int[]),
                  unnest($7::bigint[]))
          AS i (object_id, group_id, last_id, pending_from, entries_read, last_consumer, version)
     WHERE c.object_id = ANY (ARRAY[i.object_id]) AND c.group_id = i.group_id AND c.version = i.version"
);

/// $1 object ids, $2 group ids, $3 consumer ids, $4 stored names, $5 long names, $6 when seen, $7 when active.
pub static INSERT_CONSUMERS: Statement = Statement::new(
    "WITH i (object_id, group_id, consumer_id, name, long_name, seen_at, active_at) AS MATERIALIZED (
              SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::int[]), unnest($4::bytea[]), unnest($5::bytea[]), unnest($6::bigint[]),
                     unnest($7::bigint[])),
          a AS (INSERT INTO respg.stream_activity (object_id, group_id, consumer_id, version, seen_at, active_at)
                SELECT object_id, group_id, consumer_id, 1, seen_at, active_at FROM i)
     INSERT INTO respg.stream_consumers (object_id, group_id, consumer_id, name, long_name)
     SELECT object_id, group_id, consumer_id, name, long_name FROM i",
);

/// $1 object ids, $2 group ids, $3 consumer ids, $4 versions, $5 when seen, $6 when active.
pub static UPDATE_ACTIVITY: KeyStatement = object_statement!(
    "UPDATE respg.stream_activity", " a SET version = i.version + 1, seen_at = i.seen_at, active_at = i.active_at
     FROM (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::int[]), unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]))
          AS i (object_id, group_id, consumer_id, version, seen_at, active_at)
     WHERE a.object_id = ANY (ARRAY[i.object_id]) AND a.group_id = i.group_id AND a.consumer_id = i.consumer_id
         AND a.version = i.version"
);

/// $1 object ids, $2 group ids, $3 ids.
pub static DELETE_PENDING: KeyStatement = object_statement!(
    "DELETE FROM respg.stream_pending",
    " p USING (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::uuid[])) AS i (object_id, group_id, id)
     WHERE p.object_id = ANY (ARRAY[i.object_id]) AND p.group_id = i.group_id AND p.id = i.id"
);

/// $1 object ids, $2 group ids, $3 ids, $4 consumer ids, $5 when delivered, $6 how often.
pub static UPDATE_PENDING: KeyStatement = object_statement!(
    "UPDATE respg.stream_pending",
    " p SET consumer_id = i.consumer_id, delivered_at = i.delivered_at, deliveries = i.deliveries
     FROM (SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::uuid[]), unnest($4::int[]), unnest($5::bigint[]), unnest($6::bigint[]))
          AS i (object_id, group_id, id, consumer_id, delivered_at, deliveries)
     WHERE p.object_id = ANY (ARRAY[i.object_id]) AND p.group_id = i.group_id AND p.id = i.id"
);

/// $1 object ids, $2 group ids, $3 ids, $4 consumer ids, $5 when delivered, $6 how often.
pub static INSERT_PENDING: KeyStatement = object_statement!(
    "INSERT INTO respg.stream_pending",
    " (object_id, group_id, id, consumer_id, delivered_at, deliveries)
     SELECT unnest($1::bigint[]), unnest($2::int[]), unnest($3::uuid[]), unnest($4::int[]), unnest($5::bigint[]), unnest($6::bigint[])"
);
