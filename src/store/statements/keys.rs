//! The hot statements: batches of key rows. Hot path.
//!
//! READ and LOCK answer a header row (`i` = -1: `num` is the database's clock in microseconds, `length` for how long the statement
//! has been running then, `object_id` the keyspace's version), so that the time and a stale map of databases are known even when
//! no key is there. Of a key NULL stands for what is usual: type string, no expiry, a value that is sent (no `length`). READ takes
//! the time before it looks at the keys, LOCK when it has locked them: no other order is free of keys that are seen expired and
//! later, by somebody who had to wait, alive.

use super::{KeyStatement, Statement, key_statement};

/// The longest value to send, where the keys `i` (key, and i, its place) come from, and their space.
macro_rules! read {
    ($inline:literal, $keys:literal, $space:literal) => {
        key_statement!(
            concat!(
                "SELECT -1 AS i, 0::smallint AS type, (date_part('epoch', clock_timestamp()) * 1000000)::bigint AS num,
                        NULL::bytea AS value, (date_part('epoch', clock_timestamp() - now()) * 1000000)::int AS length,
                        version AS object_id, '0'::xid AS holder
                 FROM respg.keyspace
                 UNION ALL
                 SELECT i.i, NULLIF(k.type, 1), k.expires_at,
                        CASE WHEN octet_length(k.value) <= ", $inline, " THEN k.value END,
                        CASE WHEN octet_length(k.value) > ", $inline, " THEN octet_length(k.value) END, k.object_id,
                        CASE WHEN k.expires_at IS NOT NULL THEN k.xmax END
                 FROM ", $keys, "
                 CROSS JOIN LATERAL (SELECT k.type, k.expires_at, k.value, k.object_id, k.xmax FROM "
            ),
            concat!(" k WHERE k.space = ", $space, " AND k.key = i.key OFFSET 0) k")
        )
    };
}

/// $1 spaces, $2 keys, $3 the longest value to send of each (-1: none). For a key that expires, `holder` is who last locked its row.
pub static READ: KeyStatement = read!(
    "i.inline",
    "(SELECT unnest($1::int[]) AS space, unnest($2::bytea[]) AS key, unnest($3::int[]) AS inline, generate_subscripts($2::bytea[], 1) AS i) i",
    "i.space"
);

/// As READ, of one space: $1 the space, $2 keys, $3 the longest value to send of any. One array in place of three costs Postgres a twentieth less.
pub static READ_SPACE: KeyStatement = read!(
    "$3::int",
    "(SELECT unnest($2::bytea[]) AS key, generate_subscripts($2::bytea[], 1) AS i) i",
    "$1::int"
);

/// As READ, of one key, in one row with what is READ's header: $1 the space, $2 the key, $3 the longest value to send. Without a key all of its columns are null.
/// It costs Postgres a fifth less than READ_SPACE of one key.
pub static READ_ONE: KeyStatement = key_statement!(
    "SELECT k.type, k.expires_at, CASE WHEN octet_length(k.value) <= $3::int THEN k.value END, octet_length(k.value), k.object_id,
            CASE WHEN k.expires_at IS NOT NULL THEN k.xmax END, s.now, now(), s.version
     FROM (SELECT version, clock_timestamp() AS now FROM respg.keyspace OFFSET 0) s
     LEFT JOIN (SELECT k.type, k.expires_at, k.value, k.object_id, k.xmax FROM ", " k
                WHERE k.space = $1::int AND k.key = $2::bytea OFFSET 0) k ON true"
);

/// As READ, locking the rows in the given order (the caller sorts) and with their version (xmin) for WATCH.
pub static LOCK: KeyStatement = key_statement!(
    "WITH locked AS MATERIALIZED (
         SELECT i.i, k.type, k.expires_at, k.value, i.inline, k.object_id, k.xmin AS version
         FROM (SELECT unnest($1::int[]) AS space, unnest($2::bytea[]) AS key, unnest($3::int[]) AS inline, generate_subscripts($2::bytea[], 1) AS i) i
         CROSS JOIN LATERAL (SELECT k.type, k.expires_at, k.value, k.object_id, k.xmin FROM ", " k
             WHERE k.space = i.space AND k.key = i.key FOR UPDATE) k)
     SELECT i, type, expires_at AS num, CASE WHEN octet_length(value) <= inline THEN value END AS value,
            octet_length(value) AS length, object_id, version
     FROM locked
     UNION ALL
     SELECT -1, 0::smallint, (date_part('epoch', clock_timestamp()) * 1000000)::bigint, NULL, 0, version, '0'::xid
     FROM respg.keyspace"
);

/// Where the rows to write come from.
macro_rules! overwrite {
    ($rows:literal) => {
        key_statement!(
            "INSERT INTO ",
            concat!(
                " AS k (space, key, long_key, type, value, expires_at)
                 SELECT i.space, i.key, i.long_key, 1, i.value,
                        CASE WHEN i.relative THEN floor(date_part('epoch', now()) * 1000)::bigint + i.expires_at ELSE i.expires_at END
                 FROM ", $rows, " AS i (space, key, long_key, value, expires_at, relative)
                 WHERE (SELECT version FROM respg.keyspace) = $1
                 ON CONFLICT (space, key) DO UPDATE
                 SET type = 1, value = excluded.value, expires_at = excluded.expires_at,
                     object_id = CASE WHEN k.object_id IS NOT NULL THEN respg.object_in_the_way() END"
            )
        )
    };
}

/// $1 the keyspace's version, $2 spaces, $3 keys, $4 long keys, $5 values, $6 expiries, $7 whether the expiry counts from now.
/// Writes strings whatever was there; writes nothing at all if the version is another. Fails with a serialization failure if a key holds an
/// object, which has to be dropped with it.
pub static OVERWRITE: KeyStatement = overwrite!(
    "(SELECT unnest($2::int[]), unnest($3::bytea[]), unnest($4::bytea[]), unnest($5::bytea[]), unnest($6::bigint[]), unnest($7::bool[]))"
);

/// As OVERWRITE, of one key: no arrays.
pub static OVERWRITE_ONE: KeyStatement =
    overwrite!("(SELECT $2::int, $3::bytea, $4::bytea, $5::bytea, $6::bigint, $7::bool)");

/// Where the increments come from.
macro_rules! add {
    ($rows:literal) => {
        key_statement!(
            "INSERT INTO ",
            concat!(
                " AS k (space, key, long_key, type, value)
                 SELECT i.space, i.key, i.long_key, 1, i.increment::text::bytea
                 FROM ", $rows, " AS i (space, key, long_key, increment)
                 WHERE (SELECT version FROM respg.keyspace) = $1
                 ON CONFLICT (space, key) DO UPDATE
                 SET value = CASE
                         WHEN k.type = 0 OR (k.expires_at IS NOT NULL AND k.expires_at < floor(date_part('epoch', now()) * 1000))
                         THEN excluded.value
                         WHEN k.type = 1 AND octet_length(k.value) <= 18 AND encode(k.value, 'escape')::bigint::text::bytea = k.value
                              AND (k.expires_at IS NULL OR k.expires_at >= floor(date_part('epoch', clock_timestamp()) * 1000))
                         THEN (encode(k.value, 'escape')::bigint + encode(excluded.value, 'escape')::bigint)::text::bytea
                         ELSE ('not an integer, type ' || k.type)::bigint::text::bytea END,
                     expires_at = CASE WHEN k.expires_at IS NOT NULL AND k.type <> 0
                                            AND k.expires_at >= floor(date_part('epoch', now()) * 1000) THEN k.expires_at END,
                     type = 1, object_id = CASE WHEN k.object_id IS NOT NULL THEN respg.object_in_the_way() END
                 RETURNING k.space, k.key, k.value"
            )
        )
    };
}

/// $1 the keyspace's version, $2 spaces, $3 keys, $4 long keys, $5 increments. Answers every key with its new value; nothing at all if the version is another. Anything that
/// Redis would refuse, an integer of more than 18 characters (which may come near the limits of 64 bits), and a key that expires at this very moment, are errors of class 22: the
/// caller decides then.
pub static ADD: KeyStatement =
    add!("(SELECT unnest($2::int[]), unnest($3::bytea[]), unnest($4::bytea[]), unnest($5::bigint[]))");

/// As ADD, of one key: no arrays.
pub static ADD_ONE: KeyStatement = add!("(SELECT $2::int, $3::bytea, $4::bytea, $5::bigint)");

/// $1 spaces, $2 keys, $3 types, $4 values, $5 whether the value stays as it is, $6 expiries, $7 object ids: rows that are there and locked.
pub static UPDATE: KeyStatement = key_statement!(
    "UPDATE ", " k
     SET type = i.type, value = CASE WHEN i.keep THEN k.value ELSE i.value END, expires_at = i.expires_at, object_id = i.object_id
     FROM (SELECT unnest($1::int[]), unnest($2::bytea[]), unnest($3::smallint[]), unnest($4::bytea[]), unnest($5::bool[]), unnest($6::bigint[]),
                  unnest($7::bigint[])) AS i (space, key, type, value, keep, expires_at, object_id)
     WHERE k.space = ANY (ARRAY[i.space]) AND k.key = i.key"
);

/// $1 spaces, $2 keys, $3 long keys, $4 types, $5 values, $6 expiries, $7 object ids: rows that were not there. A key that somebody else made meanwhile
/// is a unique violation, on which the batch starts again.
pub static INSERT: KeyStatement = key_statement!(
    "INSERT INTO ", " (space, key, long_key, type, value, expires_at, object_id)
     SELECT unnest($1::int[]), unnest($2::bytea[]), unnest($3::bytea[]), unnest($4::smallint[]), unnest($5::bytea[]), unnest($6::bigint[]),
            unnest($7::bigint[])"
);

/// $1 spaces, $2 keys.
pub static DELETE: KeyStatement = key_statement!(
    "DELETE FROM ",
    " k USING (SELECT unnest($1::int[]), unnest($2::bytea[])) AS i (space, key)
     WHERE k.space = ANY (ARRAY[i.space]) AND k.key = i.key"
);

/// $1 spaces, $2 keys: what is still a placeholder of our own.
pub static DELETE_PLACEHOLDERS: Statement = Statement::new(
    "DELETE FROM respg.keys k USING (SELECT unnest($1::int[]), unnest($2::bytea[])) AS i (space, key)
     WHERE k.space = ANY (ARRAY[i.space]) AND k.key = i.key AND k.type = 0",
);

pub static BEGIN: Statement = Statement::new("BEGIN");
pub static COMMIT: Statement = Statement::new("COMMIT");
pub static ROLLBACK: Statement = Statement::new("ROLLBACK");
/// For an EXEC that flushes or swaps databases.
pub static BARRIER: Statement =
    Statement::new("LOCK TABLE respg.keyspace, respg.databases IN ACCESS EXCLUSIVE MODE");
/// db, space, durability of every logical database, and the version.
pub static DATABASES: Statement = Statement::new(
    "SELECT d.db, d.space, d.durability, k.version FROM respg.keyspace k LEFT JOIN respg.databases d ON true",
);
