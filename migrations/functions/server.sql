-- Functions of the group server that replace whole databases. Each takes the keyspace for itself: everybody who uses keys reads
-- respg.keyspace or respg.databases in the same transaction and so holds a share lock. A transaction that has used keys and stays open
-- (a pg_dump, a client of SQL) would hold all of them up, hence the short patience.

-- To be called by whatever writes keys outside of a client's command: while the mode is reverse, has keys moved by pattern (or changes) somebody follows, and takes what is his. key null: whole databases.
CREATE OR REPLACE FUNCTION respg.changed(key bytea, db integer) RETURNS void LANGUAGE sql VOLATILE
AS $$
    INSERT INTO respg.changed_keys (db, key)
    SELECT changed.db, changed.key FROM respg.settings s WHERE s.name = 'shadow-mode' AND s.value LIKE '%reverse%'
$$;

-- FLUSHDB, FLUSHALL (NULL: all): a fresh space. The sweeper removes the rows of the old one.
CREATE OR REPLACE FUNCTION respg.flush(dbs integer[]) RETURNS void LANGUAGE plpgsql SET lock_timeout = '2s'
AS $$
BEGIN
    LOCK TABLE respg.keyspace, respg.databases IN ACCESS EXCLUSIVE MODE;
    INSERT INTO respg.dropped_spaces (space) SELECT d.space FROM respg.databases d WHERE dbs IS NULL OR d.db = ANY (dbs);
    UPDATE respg.databases d
    SET space = CASE d.durability WHEN 'cache' THEN -nextval('respg.space') ELSE nextval('respg.space') END::integer
    WHERE dbs IS NULL OR d.db = ANY (dbs);
    UPDATE respg.keyspace SET version = version + 1;
    PERFORM respg.changed(NULL, 0);
END $$;

-- FLUSHDB, for clients of SQL too.
CREATE OR REPLACE FUNCTION respg.flushdb(db integer DEFAULT 0) RETURNS void LANGUAGE sql
    AS $$ SELECT respg.flush(ARRAY[db]) $$;

-- FLUSHALL, for clients of SQL too.
CREATE OR REPLACE FUNCTION respg.flushall() RETURNS void LANGUAGE sql
    AS $$ SELECT respg.flush(NULL) $$;

-- SWAPDB: exchanges two numbers. The durability class belongs to the database, not to the keys: when one of the two is of the class
-- cache, every row moves to the other table, which takes its time.
CREATE OR REPLACE FUNCTION respg.swapdb(a integer, b integer) RETURNS void LANGUAGE plpgsql SET lock_timeout = '2s'
AS $$
DECLARE
    space_a integer; space_b integer; new_a integer; new_b integer;
BEGIN
    LOCK TABLE respg.keyspace, respg.databases IN ACCESS EXCLUSIVE MODE;
    SELECT d.space INTO STRICT space_a FROM respg.databases d WHERE d.db = a;
    SELECT d.space INTO STRICT space_b FROM respg.databases d WHERE d.db = b;
    new_a := space_b;
    new_b := space_a;
    IF sign(space_a) <> sign(space_b) THEN
        new_a := sign(space_a) * nextval('respg.space');
        new_b := sign(space_b) * nextval('respg.space');
        PERFORM respg.move_objects(space_a), respg.move_objects(space_b);
        UPDATE respg.keys SET space = new_b WHERE space = space_a;
        UPDATE respg.keys SET space = new_a WHERE space = space_b;
    END IF;
    UPDATE respg.databases SET space = CASE db WHEN a THEN new_a ELSE new_b END WHERE db IN (a, b);
    UPDATE respg.keyspace SET version = version + 1;
    PERFORM respg.changed(NULL, 0);
END $$;

-- A setting of the database; all processes hear of it.
CREATE OR REPLACE FUNCTION respg.change_setting(setting text, new_value text) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO respg.settings (name, value) VALUES (setting, new_value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
    PERFORM respg.send('w', convert_to('respg:settings', 'UTF8'), '');
END $$;

-- Removes expired keys, except those that somebody has locked; says which they were.
CREATE OR REPLACE FUNCTION respg.expire_keys(spaces integer[], stored_keys bytea[]) RETURNS TABLE (db integer, key bytea) LANGUAGE sql
AS $$
    WITH dead AS MATERIALIZED (
        SELECT k.space, k.key
        FROM (SELECT i.space, i.key FROM unnest(spaces, stored_keys) AS i (space, key) ORDER BY i.key, i.space) i
        CROSS JOIN LATERAL (SELECT k.space, k.key FROM respg.keys k
            WHERE k.space = i.space AND k.key = i.key AND k.type <> 0 AND k.expires_at < respg.now_ms() FOR UPDATE SKIP LOCKED) k),
    removed AS (
        DELETE FROM respg.keys k USING dead d WHERE k.space = ANY (ARRAY[d.space]) AND k.key = d.key
        RETURNING k.space, coalesce(k.long_key, k.key) AS name, k.object_id, k.type),
    -- Their elements go by and by.
    dropped AS (
        INSERT INTO respg.dropped_objects (object_id, type) SELECT r.object_id, r.type FROM removed r WHERE r.object_id IS NOT NULL ON CONFLICT DO NOTHING)
    SELECT b.db, r.name FROM removed r JOIN respg.databases b ON b.space = r.space;
$$;
