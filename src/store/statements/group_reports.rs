//! Statements that report on consumer groups: XPENDING and XINFO. Each is one snapshot. The first row has no name and no id, but what the
//! command must know of the key, if the key is there.

use super::Statement;

/// The key $1, $2 as `k`, its group $3 as `g`; and how many entries each consumer of it has pending, as `p`.
macro_rules! of_group {
    () => {
        "WITH k AS MATERIALIZED (SELECT k.type, k.object_id FROM respg.live_object($1, $2) k),
          g AS MATERIALIZED (
              SELECT k.object_id, g.group_id, c.pending_from FROM k
              JOIN respg.stream_groups g ON g.object_id = k.object_id AND g.name = $3
              CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = k.object_id AND c.group_id = g.group_id
                  ORDER BY c.version DESC LIMIT 1) c)"
    };
    (pending) => {
        ",
          p AS MATERIALIZED (
              SELECT p.consumer_id, count(*) AS n FROM g
              JOIN respg.stream_pending p ON p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from
              GROUP BY p.consumer_id)"
    };
}

/// $1 db, $2 stored key, $3 the group's stored name. First row: type, whether there is the group (n), lowest and highest pending id. Then consumers
/// and how many entries they have pending.
pub static PENDING_SUMMARY: Statement = Statement::new(concat!(
    of_group!(), of_group!(pending),
    "
     SELECT k.type, NULL::bytea AS name, (SELECT count(*) FROM g) AS n,
            (SELECT p.id FROM g CROSS JOIN LATERAL (SELECT p.id FROM respg.stream_pending p
                 WHERE p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from ORDER BY p.id LIMIT 1) p) AS first,
            (SELECT p.id FROM g CROSS JOIN LATERAL (SELECT p.id FROM respg.stream_pending p
                 WHERE p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from ORDER BY p.id DESC LIMIT 1) p) AS last
     FROM k
     UNION ALL
     SELECT 6::smallint, coalesce(o.long_name, o.name), p.n, NULL, NULL FROM g
     CROSS JOIN p
     JOIN respg.stream_consumers o ON o.object_id = g.object_id AND o.group_id = g.group_id AND o.consumer_id = p.consumer_id
     ORDER BY name NULLS FIRST"
));

/// $1 db, $2 stored key, $3 the group's stored name, $4 a consumer's stored name (null: of all), $5 lowest id, $6 highest id, $7 how many, $8 the
/// shortest idle time in milliseconds. First row: type and whether there is the group (idle). Then pending entries.
pub static PENDING_RANGE: Statement = Statement::new(concat!(
    of_group!(),
    "
     SELECT k.type, NULL::uuid AS id, NULL::bytea AS name, (SELECT count(*) FROM g) AS idle, 0::bigint AS deliveries FROM k
     UNION ALL
     SELECT 6::smallint, p.id, coalesce(o.long_name, o.name), greatest(respg.now_ms() - p.delivered_at, 0), p.deliveries FROM g
     CROSS JOIN LATERAL (
         SELECT * FROM respg.stream_pending p
         WHERE p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from AND p.id >= $5 AND p.id <= $6
           AND greatest(respg.now_ms() - p.delivered_at, 0) >= $8
           AND ($4::bytea IS NULL OR p.consumer_id = (SELECT o.consumer_id FROM respg.stream_consumers o
                    WHERE o.object_id = g.object_id AND o.group_id = g.group_id AND o.name = $4))
         ORDER BY p.id LIMIT $7) p
     JOIN respg.stream_consumers o ON o.object_id = g.object_id AND o.group_id = g.group_id AND o.consumer_id = p.consumer_id
     ORDER BY id NULLS FIRST"
));

/// $1 db, $2 stored key, $3 the group's stored name. First row: type and whether there is the group (n). Then consumers: how many entries they have
/// pending, milliseconds since they were seen, and since they were active.
pub static CONSUMERS: Statement = Statement::new(concat!(
    of_group!(), of_group!(pending),
    "
     SELECT k.type, NULL::bytea AS name, (SELECT count(*) FROM g) AS n, 0::bigint AS idle, 0::bigint AS inactive FROM k
     UNION ALL
     SELECT 6::smallint, coalesce(o.long_name, o.name), coalesce(p.n, 0), greatest(respg.now_ms() - a.seen_at, 0),
            CASE WHEN a.active_at IS NOT NULL THEN greatest(respg.now_ms() - a.active_at, 0) END
     FROM g JOIN respg.stream_consumers o ON o.object_id = g.object_id AND o.group_id = g.group_id
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_activity a
         WHERE a.object_id = g.object_id AND a.group_id = g.group_id AND a.consumer_id = o.consumer_id ORDER BY a.version DESC LIMIT 1) a
     LEFT JOIN p ON p.consumer_id = o.consumer_id
     ORDER BY name NULLS FIRST"
));

/// $1 db, $2 stored key. First row: type, length, entries added, highest deleted id, last id, first entry's id. Then groups: name, how many consumers
/// and pending entries, entries read, last id.
pub static GROUPS: Statement = Statement::new(
    "WITH k AS MATERIALIZED (SELECT k.type, k.object_id FROM respg.live_object($1, $2) k)
     SELECT k.type, NULL::bytea AS name, s.length AS consumers, s.entries_added AS pending, 0::bigint AS entries_read,
            s.max_deleted_id, s.last_id,
            (SELECT e.id FROM respg.stream_entries e WHERE e.object_id = k.object_id AND e.id >= s.first_id ORDER BY e.id LIMIT 1) AS first_id
     FROM k LEFT JOIN LATERAL (SELECT * FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s ON true
     UNION ALL
     SELECT 6::smallint, coalesce(g.long_name, g.name),
            (SELECT count(*) FROM respg.stream_consumers o WHERE o.object_id = k.object_id AND o.group_id = g.group_id),
            (SELECT count(*) FROM respg.stream_pending p
             WHERE p.object_id = k.object_id AND p.group_id = g.group_id AND p.id >= c.pending_from),
            c.entries_read, NULL, c.last_id, NULL
     FROM k JOIN respg.stream_groups g ON g.object_id = k.object_id
     CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = k.object_id AND c.group_id = g.group_id
         ORDER BY c.version DESC LIMIT 1) c
     ORDER BY name NULLS FIRST",
);

/// $1 db, $2 stored key: type, length, entries added, highest deleted id, last id, first and last entry (id, fields, node), number of groups.
pub static STREAM: Statement = Statement::new(
    "SELECT k.type, s.length, s.entries_added, s.max_deleted_id, s.last_id, f.id, f.fields, l.id, l.fields,
            (SELECT count(*) FROM respg.stream_groups g WHERE g.object_id = k.object_id), coalesce(l.node - f.node + 1, 0)
     FROM respg.live_object($1, $2) k
     LEFT JOIN LATERAL (SELECT * FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s ON true
     LEFT JOIN LATERAL (SELECT * FROM respg.stream_entries e
         WHERE e.object_id = k.object_id AND e.id >= s.first_id ORDER BY e.id LIMIT 1) f ON true
     LEFT JOIN LATERAL (SELECT * FROM respg.stream_entries e
         WHERE e.object_id = k.object_id AND e.id >= s.first_id ORDER BY e.id DESC LIMIT 1) l ON true",
);

/// $1 db, $2 stored key, $3 how many entries, and pending ones of each group and consumer. Rows of several kinds, in order:
/// 0 the stream (id: last, a: length, b: entries added, c: type); 1 its highest deleted id; 2 its first entry's id, a: its number of nodes; 3 entries;
/// 4 groups (id: last, a: entries read, b: pending); 5 pending entries of a group (name: consumer's, a: delivered at, b: deliveries); 6 consumers
/// (a: seen at, b: active at, c: pending); 7 pending entries of a consumer.
pub static STREAM_FULL: Statement = Statement::new(
    "WITH k AS MATERIALIZED (SELECT k.type, k.object_id FROM respg.live_object($1, $2) k),
          s AS MATERIALIZED (SELECT s.* FROM k
              CROSS JOIN LATERAL (SELECT * FROM respg.streams s WHERE s.object_id = k.object_id ORDER BY s.version DESC LIMIT 1) s),
          g AS MATERIALIZED (SELECT k.object_id, g.group_id, g.name AS stored, coalesce(g.long_name, g.name) AS name, c.last_id, c.entries_read,
                                    c.pending_from
              FROM k JOIN respg.stream_groups g ON g.object_id = k.object_id
              CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c WHERE c.object_id = k.object_id AND c.group_id = g.group_id
                  ORDER BY c.version DESC LIMIT 1) c),
          o AS MATERIALIZED (SELECT g.object_id, g.group_id, g.pending_from, o.consumer_id, coalesce(o.long_name, o.name) AS name,
                                    a.seen_at, a.active_at
              FROM g JOIN respg.stream_consumers o ON o.object_id = g.object_id AND o.group_id = g.group_id
              CROSS JOIN LATERAL (SELECT * FROM respg.stream_activity a
                  WHERE a.object_id = g.object_id AND a.group_id = g.group_id AND a.consumer_id = o.consumer_id
                  ORDER BY a.version DESC LIMIT 1) a)
     SELECT * FROM (
     SELECT 0 AS kind, 0 AS group_id, 0 AS consumer_id, NULL::bytea AS name, s.last_id AS id, NULL::bytea AS fields,
            s.length AS a, s.entries_added AS b, k.type::bigint AS c FROM k LEFT JOIN s ON true
     UNION ALL SELECT 1, 0, 0, NULL, s.max_deleted_id, NULL, 0, 0, 0 FROM s
     UNION ALL SELECT 2, 0, 0, NULL, f.id, NULL, l.node - f.node + 1, 0, 0 FROM s
         CROSS JOIN LATERAL (SELECT e.id, e.node FROM respg.stream_entries e
             WHERE e.object_id = s.object_id AND e.id >= s.first_id ORDER BY e.id LIMIT 1) f
         CROSS JOIN LATERAL (SELECT e.node FROM respg.stream_entries e
             WHERE e.object_id = s.object_id AND e.id >= s.first_id ORDER BY e.id DESC LIMIT 1) l
     UNION ALL SELECT 3, 0, 0, NULL, e.id, e.fields, 0, 0, 0 FROM s
         CROSS JOIN LATERAL (SELECT e.id, e.fields FROM respg.stream_entries e
             WHERE e.object_id = s.object_id AND e.id >= s.first_id ORDER BY e.id LIMIT $3) e
     UNION ALL SELECT 4, g.group_id, 0, g.name, g.last_id, NULL, g.entries_read,
             (SELECT count(*) FROM respg.stream_pending p
              WHERE p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from), 0 FROM g
     UNION ALL SELECT 5, g.group_id, 0, o.name, p.id, NULL, p.delivered_at, p.deliveries, 0 FROM g
         CROSS JOIN LATERAL (SELECT * FROM respg.stream_pending p
             WHERE p.object_id = g.object_id AND p.group_id = g.group_id AND p.id >= g.pending_from ORDER BY p.id LIMIT $3) p
         JOIN o ON o.group_id = p.group_id AND o.consumer_id = p.consumer_id
     UNION ALL SELECT 6, o.group_id, o.consumer_id, o.name, NULL, NULL, o.seen_at, o.active_at,
             (SELECT count(*) FROM respg.stream_pending p WHERE p.object_id = o.object_id AND p.group_id = o.group_id
                  AND p.id >= o.pending_from AND p.consumer_id = o.consumer_id) FROM o
     UNION ALL SELECT 7, o.group_id, o.consumer_id, NULL, p.id, NULL, p.delivered_at, p.deliveries, 0 FROM o
         CROSS JOIN LATERAL (SELECT * FROM respg.stream_pending p
             WHERE p.object_id = o.object_id AND p.group_id = o.group_id AND p.id >= o.pending_from AND p.consumer_id = o.consumer_id
             ORDER BY p.id LIMIT $3) p
     ) rows
     ORDER BY kind, CASE WHEN kind <> 5 THEN name END NULLS FIRST, id NULLS FIRST",
);
