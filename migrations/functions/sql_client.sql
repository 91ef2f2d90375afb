-- Redis's keys for clients of SQL: functions that take part in the caller's transaction, and views. What they do is committed together
-- with the caller's own rows or not at all; until then the rows of the keys they write are locked, and Redis clients that write
-- these keys wait. Time is the clock's, not the transaction's start, so that a long transaction sees keys expire.
--
-- Errors: 42804 the key holds something that is no string; 22P02 its value is not an integer; 22003 the sum is out of range;
-- 22023 there is no such database, or a time to live is not positive.

-- What stands in the column `key` for a key of any length (src/keyspace/key.rs).
CREATE OR REPLACE FUNCTION respg.stored_key(key bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN octet_length(key) <= 1023 THEN key ELSE substring(key FROM 1 FOR 992) || sha256(key) END $$;

-- What stands in the column `long_key`.
CREATE OR REPLACE FUNCTION respg.long_key(key bytea) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN octet_length(key) > 1023 THEN key END $$;

CREATE OR REPLACE FUNCTION respg.clock_ms() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- Whether a key row of this type and expiry is there for anybody.
CREATE OR REPLACE FUNCTION respg.is_live(type smallint, expires_at bigint) RETURNS boolean LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT type <> 0 AND (expires_at IS NULL OR expires_at >= respg.clock_ms()) $$;

-- Where the database's keys are. Volatile: its query must begin after the wait for a FLUSHDB that is in progress.
CREATE OR REPLACE FUNCTION respg.space_of(db integer) RETURNS integer LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    found_space integer;
BEGIN
    SELECT d.space INTO found_space FROM respg.databases d WHERE d.db = space_of.db;
    IF found_space IS NULL THEN
        RAISE EXCEPTION 'there is no database %', db USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN found_space;
END $$;

-- The row of a live key; no row otherwise.
CREATE OR REPLACE FUNCTION respg.live_row(key bytea, db integer) RETURNS SETOF respg.keys LANGUAGE plpgsql VOLATILE ROWS 1
AS $$
DECLARE
    place CONSTANT integer := respg.space_of(db);
BEGIN
    RETURN QUERY SELECT k.* FROM respg.keys k
        WHERE k.space = place AND k.key = respg.stored_key(live_row.key) AND respg.is_live(k.type, k.expires_at);
END $$;

-- Locks a key's row, which is about to be changed or deleted, and leaves the object that it names to the sweeper.
CREATE OR REPLACE FUNCTION respg.drop_object(place integer, stored bytea) RETURNS void LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    row respg.keys;
BEGIN
    SELECT k.* INTO row FROM respg.keys k WHERE k.space = place AND k.key = stored FOR UPDATE;
    IF row.object_id IS NOT NULL THEN
        INSERT INTO respg.dropped_objects (object_id, type) VALUES (row.object_id, row.type) ON CONFLICT DO NOTHING;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION respg.get(key bytea, db integer DEFAULT 0) RETURNS bytea LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    row respg.keys;
BEGIN
    SELECT * INTO row FROM respg.live_row(key, db);
    IF FOUND AND row.type <> 1 THEN
        RAISE EXCEPTION 'the key holds no string' USING ERRCODE = 'datatype_mismatch';
    END IF;
    RETURN row.value;
END $$;

CREATE OR REPLACE FUNCTION respg.get(key text, db integer DEFAULT 0) RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT convert_from(respg.get(convert_to(key, 'UTF8'), db), 'UTF8') $$;

CREATE OR REPLACE FUNCTION respg.expiry_after(ttl interval) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF ttl <= interval '0' THEN
        RAISE EXCEPTION 'the time to live % is not positive', ttl USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN floor(extract(epoch FROM clock_timestamp() + ttl) * 1000)::bigint;
END $$;

CREATE OR REPLACE FUNCTION respg.set(key bytea, value bytea, ttl interval DEFAULT NULL, db integer DEFAULT 0)
    RETURNS void LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF key IS NULL OR value IS NULL THEN
        RAISE EXCEPTION 'key and value must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM respg.changed(key, db);
    INSERT INTO respg.keys AS k (space, key, long_key, type, value, expires_at)
    VALUES (respg.space_of(db), respg.stored_key(key), respg.long_key(key), 1, value, respg.expiry_after(ttl))
    ON CONFLICT ON CONSTRAINT keys_pkey DO UPDATE
    SET type = 1, value = excluded.value, expires_at = excluded.expires_at
    WHERE k.object_id IS NULL;
    IF NOT FOUND THEN
        -- The row is locked now. What it names goes with it.
        PERFORM respg.drop_object(respg.space_of(db), respg.stored_key(key));
        UPDATE respg.keys k SET type = 1, value = set.value, expires_at = respg.expiry_after(ttl), object_id = NULL
        WHERE k.space = respg.space_of(db) AND k.key = respg.stored_key(set.key);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION respg.set(key text, value text, ttl interval DEFAULT NULL, db integer DEFAULT 0)
    RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT respg.set(convert_to(key, 'UTF8'), convert_to(value, 'UTF8'), ttl, db) $$;

-- Whether there was such a key.
CREATE OR REPLACE FUNCTION respg.del(key bytea, db integer DEFAULT 0) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    place CONSTANT integer := respg.space_of(db);
    was_live boolean;
BEGIN
    PERFORM respg.changed(key, db);
    PERFORM respg.drop_object(place, respg.stored_key(del.key));
    DELETE FROM respg.keys k WHERE k.space = place AND k.key = respg.stored_key(del.key) AND respg.is_live(k.type, k.expires_at)
    RETURNING true INTO was_live;
    RETURN coalesce(was_live, false);
END $$;

CREATE OR REPLACE FUNCTION respg.del(key text, db integer DEFAULT 0) RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT respg.del(convert_to(key, 'UTF8'), db) $$;

-- INCRBY: the sum.
CREATE OR REPLACE FUNCTION respg.incr(key bytea, by bigint DEFAULT 1, db integer DEFAULT 0) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    place  CONSTANT integer := respg.space_of(db);
    stored CONSTANT bytea := respg.stored_key(key);
    row    respg.keys;
    live   boolean;
    digits text;
    total  numeric;
BEGIN
    PERFORM respg.changed(key, db);
    LOOP
        SELECT k.* INTO row FROM respg.keys k WHERE k.space = place AND k.key = stored FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO respg.keys (space, key, long_key, type, value) VALUES (place, stored, respg.long_key(key), 1, convert_to(by::text, 'UTF8'))
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN by;
        END IF;
    END LOOP;
    live := respg.is_live(row.type, row.expires_at);
    IF live AND row.type <> 1 THEN
        RAISE EXCEPTION 'the key holds no string' USING ERRCODE = 'datatype_mismatch';
    END IF;
    digits := CASE WHEN live THEN encode(row.value, 'escape') ELSE '0' END;
    IF digits !~ '\A(0|-?[1-9][0-9]{0,18})\Z' OR digits::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        RAISE EXCEPTION 'the value is not an integer or out of range' USING ERRCODE = 'invalid_text_representation';
    END IF;
    total := digits::numeric + by;
    IF total NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
        RAISE EXCEPTION 'increment or decrement would overflow' USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    IF row.object_id IS NOT NULL THEN
        PERFORM respg.drop_object(place, stored);
    END IF;
    UPDATE respg.keys k
    SET type = 1, value = convert_to(total::text, 'UTF8'), object_id = NULL, expires_at = CASE WHEN live THEN k.expires_at END
    WHERE k.space = place AND k.key = stored;
    RETURN total;
END $$;

CREATE OR REPLACE FUNCTION respg.incr(key text, by bigint DEFAULT 1, db integer DEFAULT 0) RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT respg.incr(convert_to(key, 'UTF8'), by, db) $$;

-- Gives the key a time to live, or none if it is null; whether there is such a key.
CREATE OR REPLACE FUNCTION respg.expire(key bytea, ttl interval, db integer DEFAULT 0) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    place CONSTANT integer := respg.space_of(db);
BEGIN
    IF ttl <= interval '0' THEN
        RETURN respg.del(key, db);
    END IF;
    PERFORM respg.changed(key, db);
    UPDATE respg.keys k SET expires_at = respg.expiry_after(ttl)
    WHERE k.space = place AND k.key = respg.stored_key(expire.key) AND respg.is_live(k.type, k.expires_at);
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION respg.expire(key text, ttl interval, db integer DEFAULT 0) RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT respg.expire(convert_to(key, 'UTF8'), ttl, db) $$;

CREATE OR REPLACE FUNCTION respg.exists(key bytea, db integer DEFAULT 0) RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT EXISTS (SELECT FROM respg.live_row(key, db)) $$;

CREATE OR REPLACE FUNCTION respg.exists(key text, db integer DEFAULT 0) RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT respg.exists(convert_to(key, 'UTF8'), db) $$;

-- The milliseconds of an expiry as a time; beyond what Postgres can say, infinity.
CREATE OR REPLACE FUNCTION respg.expiry_time(expires_at bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN expires_at < 9224318016000000 THEN to_timestamp(expires_at / 1000.0) ELSE 'infinity'::timestamptz END $$;

-- How long such an expiry is away; null for never and for infinity.
CREATE OR REPLACE FUNCTION respg.time_left(expires_at bigint) RETURNS interval LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT CASE WHEN expires_at < 9224318016000000 THEN respg.expiry_time(expires_at) - clock_timestamp() END $$;

-- Null if there is no such key or it does not expire.
CREATE OR REPLACE FUNCTION respg.ttl(key bytea, db integer DEFAULT 0) RETURNS interval LANGUAGE sql VOLATILE
    AS $$ SELECT respg.time_left(r.expires_at) FROM respg.live_row(key, db) r $$;

CREATE OR REPLACE FUNCTION respg.ttl(key text, db integer DEFAULT 0) RETURNS interval LANGUAGE sql VOLATILE
    AS $$ SELECT respg.ttl(convert_to(key, 'UTF8'), db) $$;

CREATE OR REPLACE VIEW respg.live_keys AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text,
           (ARRAY['string', 'list', 'set', 'zset', 'hash', 'stream'])[k.type] AS type,
           octet_length(k.value) AS size, respg.expiry_time(k.expires_at) AS expires_at, respg.time_left(k.expires_at) AS ttl,
           k.value, encode(k.value, 'escape') AS value_text
    FROM respg.databases d JOIN respg.keys k ON k.space = d.space
    WHERE respg.is_live(k.type, k.expires_at);

COMMENT ON VIEW respg.live_keys IS 'The keys that Redis clients see now. Expired keys that are not removed yet are left out.';
COMMENT ON COLUMN respg.live_keys.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_keys.key IS 'The key''s bytes; of a key longer than 1023 bytes what respg.stored_key makes of it. With db and key given, this view is an index look-up.';
COMMENT ON COLUMN respg.live_keys.key_text IS 'The whole key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_keys.type IS 'What TYPE answers: string, list, set, zset, hash or stream.';
COMMENT ON COLUMN respg.live_keys.size IS 'The length of a string in bytes; null for other types.';
COMMENT ON COLUMN respg.live_keys.expires_at IS 'When the key expires; null: never.';
COMMENT ON COLUMN respg.live_keys.ttl IS 'How long the key has left; null: it does not expire.';
COMMENT ON COLUMN respg.live_keys.value IS 'A string''s bytes; null for other types.';
COMMENT ON COLUMN respg.live_keys.value_text IS 'The value for reading, as key_text.';
COMMENT ON FUNCTION respg.get(bytea, integer) IS 'GET: the value, null if there is no such key.';
COMMENT ON FUNCTION respg.get(text, integer) IS 'GET for a value that is UTF-8.';
COMMENT ON FUNCTION respg.set(bytea, bytea, interval, integer) IS 'SET: with a time to live, or none.';
COMMENT ON FUNCTION respg.set(text, text, interval, integer) IS 'SET of text as UTF-8.';
COMMENT ON FUNCTION respg.del(bytea, integer) IS 'DEL of one key: whether it was there.';
COMMENT ON FUNCTION respg.del(text, integer) IS 'DEL of one key: whether it was there.';
COMMENT ON FUNCTION respg.incr(bytea, bigint, integer) IS 'INCRBY: the sum.';
COMMENT ON FUNCTION respg.incr(text, bigint, integer) IS 'INCRBY: the sum.';
COMMENT ON FUNCTION respg.expire(bytea, interval, integer) IS 'EXPIRE, or PERSIST for a null time to live: whether there is such a key.';
COMMENT ON FUNCTION respg.expire(text, interval, integer) IS 'EXPIRE, or PERSIST for a null time to live: whether there is such a key.';
COMMENT ON FUNCTION respg.exists(bytea, integer) IS 'EXISTS of one key.';
COMMENT ON FUNCTION respg.exists(text, integer) IS 'EXISTS of one key.';
COMMENT ON FUNCTION respg.ttl(bytea, integer) IS 'How long the key has left; null if it does not expire or is not there.';
COMMENT ON FUNCTION respg.ttl(text, integer) IS 'How long the key has left; null if it does not expire or is not there.';
COMMENT ON FUNCTION respg.flushdb(integer) IS 'FLUSHDB.';
COMMENT ON FUNCTION respg.flushall() IS 'FLUSHALL.';
