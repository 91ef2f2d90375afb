-- Functions of the group transactions.

-- WATCH: the version of each key's row (xmin), whether the key is there, the database's space, and the version of the object it holds. An absent or expired key gets a
-- placeholder of type 0, so that whoever makes the key meanwhile replaces a row, as everywhere in this schema. A key that somebody
-- removes in this moment has no row in the result: it has changed. To be called in a transaction of its own.
-- It has got a column more.
DROP FUNCTION IF EXISTS respg.watch(integer[], bytea[], bytea[]);
CREATE OR REPLACE FUNCTION respg.watch(dbs integer[], stored_keys bytea[], long_keys bytea[])
    RETURNS TABLE (index integer, xmin xid, live boolean, space integer, object_version bigint) LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    now CONSTANT bigint := respg.now_ms();
BEGIN
    -- A placeholder need not outlive a crash: its clients' connections do not.
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO respg.dropped_objects (object_id, type)
    SELECT k.object_id, k.type
    FROM (SELECT d.space, i.key FROM unnest(dbs, stored_keys) AS i (db, key) JOIN respg.databases d ON d.db = i.db ORDER BY i.key, d.space) i
    CROSS JOIN LATERAL (SELECT k.object_id, k.type, k.expires_at FROM respg.keys k WHERE k.space = i.space AND k.key = i.key FOR UPDATE) k
    WHERE k.object_id IS NOT NULL AND k.expires_at < now
    ON CONFLICT DO NOTHING;
    INSERT INTO respg.keys AS k (space, key, long_key, type, expires_at)
    SELECT d.space, i.key, i.long_key, 0, now + 3600000
    FROM unnest(dbs, stored_keys, long_keys) AS i (db, key, long_key)
    JOIN respg.databases d ON d.db = i.db
    -- Not EXISTS: as an anti-join it may be planned along the wrong index.
    WHERE (SELECT k.expires_at IS NULL OR k.expires_at >= now FROM respg.keys k WHERE k.space = d.space AND k.key = i.key) IS NOT TRUE
    ORDER BY i.key, d.space
    ON CONFLICT (space, key) DO UPDATE
    SET type = 0, value = NULL, object_id = NULL, expires_at = excluded.expires_at
    WHERE k.expires_at < now;
    -- One statement, one snapshot: what is said of all keys was true at one moment.
    RETURN QUERY
        SELECT i.index::integer, k.xmin, k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= now), d.space,
               respg.object_version(k.type, k.object_id)
        FROM unnest(dbs, stored_keys) WITH ORDINALITY AS i (db, key, index)
        JOIN respg.databases d ON d.db = i.db
        CROSS JOIN LATERAL (SELECT k.xmin, k.type, k.expires_at, k.object_id FROM respg.keys k WHERE k.space = d.space AND k.key = i.key LIMIT 1) k;
END $$;
