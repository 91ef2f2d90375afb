-- Options of streams: dead letters, archive, retention; and delayed entries.

-- Replaces all options of a stream; what is not named is off. False if there is no such stream.
CREATE OR REPLACE FUNCTION respg.set_stream_options(
    key bytea, dead_letter bytea DEFAULT NULL, max_deliveries bigint DEFAULT NULL, archive interval DEFAULT NULL, max_age interval DEFAULT NULL,
    max_length bigint DEFAULT NULL, db integer DEFAULT 0) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_variable
DECLARE
    object CONSTANT bigint := respg.lock_stream(key, db, false);
    s      respg.streams;
BEGIN
    IF object IS NULL THEN
        RETURN false;
    END IF;
    IF dead_letter = key THEN
        RAISE EXCEPTION 'a stream cannot be its own dead-letter stream' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO STRICT s FROM respg.stream_row(object);
    DELETE FROM respg.stream_options o WHERE o.object_id = object;
    IF num_nonnulls(dead_letter, max_deliveries, archive, max_age, max_length) > 0 THEN
        INSERT INTO respg.stream_options (object_id, space, key, dead_letter, max_deliveries, archive_ms, max_age_ms, max_length)
        VALUES (object, respg.space_of(db), respg.stored_key(key), dead_letter, max_deliveries, floor(extract(epoch FROM archive) * 1000)::bigint,
                floor(extract(epoch FROM max_age) * 1000)::bigint, max_length);
    END IF;
    UPDATE respg.streams t
    SET version = s.version + 1, max_deliveries = coalesce(set_stream_options.max_deliveries, 0),
        archive = set_stream_options.archive IS NOT NULL
    WHERE t.object_id = object AND t.version = s.version;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION respg.set_stream_options(
    key text, dead_letter text DEFAULT NULL, max_deliveries bigint DEFAULT NULL, archive interval DEFAULT NULL, max_age interval DEFAULT NULL,
    max_length bigint DEFAULT NULL, db integer DEFAULT 0) RETURNS boolean LANGUAGE sql VOLATILE
AS $$
    SELECT respg.set_stream_options(convert_to(key, 'UTF8'), convert_to(dead_letter, 'UTF8'), max_deliveries, archive, max_age, max_length, db)
$$;

-- The same for RESPG.STREAM SET, with times in milliseconds: 1 done, 0 no such key, -1 it is no stream.
CREATE OR REPLACE FUNCTION respg.try_set_stream_options(
    db integer, key bytea, dead_letter bytea, max_deliveries bigint, archive_ms bigint, max_age_ms bigint, max_length bigint) RETURNS integer
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN respg.set_stream_options(key, dead_letter, max_deliveries, archive_ms * interval '1 millisecond',
                                    max_age_ms * interval '1 millisecond', max_length, db)::integer;
EXCEPTION WHEN datatype_mismatch THEN
    RETURN -1;
END $$;

-- Where a stream with options is; what was known last if its key is not found.
CREATE OR REPLACE FUNCTION respg.place_of(o respg.stream_options) RETURNS TABLE (db integer, space integer, key bytea) LANGUAGE plpgsql VOLATILE
    ROWS 1 SET enable_seqscan = on
AS $$
#variable_conflict use_column
DECLARE
    k respg.keys;
BEGIN
    SELECT * INTO k FROM respg.keys t WHERE t.key = o.key AND t.space = o.space AND t.object_id = o.object_id;
    IF NOT FOUND THEN
        SELECT * INTO k FROM respg.keys t WHERE t.type = 6 AND t.object_id = o.object_id LIMIT 1;
    END IF;
    RETURN QUERY SELECT d.db, d.space, coalesce(k.long_key, k.key, o.key) FROM respg.databases d WHERE d.space = coalesce(k.space, o.space);
END $$;

-- Entries that are acknowledged, for the archive of those streams that have the option. One call for a batch of commands.
CREATE OR REPLACE FUNCTION respg.archive(objects bigint[], groups integer[], ids uuid[], consumers integer[], delivered bigint[], deliveries bigint[])
    RETURNS void LANGUAGE sql VOLATILE
AS $$
    INSERT INTO respg.stream_archive (acknowledged_at, delivered_at, keep_until, deliveries, db, id, key, group_name, consumer, fields)
    SELECT clock_timestamp(), to_timestamp(i.delivered_at / 1000.0),
           CASE WHEN o.archive_ms > 0 THEN clock_timestamp() + o.archive_ms * interval '1 millisecond' END,
           i.deliveries, p.db, i.id, respg.stored_key(p.key), coalesce(g.name, ''), coalesce(c.name, ''), e.fields
    FROM unnest(objects, groups, ids, consumers, delivered, deliveries) AS i (object_id, group_id, id, consumer_id, delivered_at, deliveries)
    JOIN respg.stream_options o ON o.object_id = i.object_id AND o.archive_ms IS NOT NULL
    CROSS JOIN LATERAL respg.place_of(o) p
    LEFT JOIN respg.stream_groups g ON g.object_id = i.object_id AND g.group_id = i.group_id
    LEFT JOIN respg.stream_consumers c ON c.object_id = i.object_id AND c.group_id = i.group_id AND c.consumer_id = i.consumer_id
    LEFT JOIN LATERAL (SELECT * FROM respg.stream_entries e WHERE e.object_id = i.object_id AND e.id = i.id LIMIT 1) e ON true
$$;

-- Entries that have been delivered too often, on their way to the dead-letter stream, with five fields more that say where they come
-- from. They arrive there by respg.add_scheduled, so that no second stream is locked here.
CREATE OR REPLACE FUNCTION respg.bury(objects bigint[], groups integer[], ids uuid[], consumers integer[], delivered bigint[], deliveries bigint[])
    RETURNS void LANGUAGE sql VOLATILE
AS $$
    INSERT INTO respg.stream_scheduled (due_at, space, key, fields)
    SELECT clock_timestamp(), p.space, o.dead_letter, e.fields || respg.pack_fields(ARRAY[
        'dead-letter-stream', p.key, 'dead-letter-group', coalesce(g.long_name, g.name, ''),
        'dead-letter-consumer', coalesce(c.long_name, c.name, ''), 'dead-letter-id', convert_to(respg.stream_id(i.id), 'UTF8'),
        'dead-letter-deliveries', convert_to(i.deliveries::text, 'UTF8')])
    FROM unnest(objects, groups, ids, consumers, delivered, deliveries) AS i (object_id, group_id, id, consumer_id, delivered_at, deliveries)
    JOIN respg.stream_options o ON o.object_id = i.object_id AND o.dead_letter IS NOT NULL
    CROSS JOIN LATERAL respg.place_of(o) p
    CROSS JOIN LATERAL (SELECT * FROM respg.stream_entries e WHERE e.object_id = i.object_id AND e.id = i.id LIMIT 1) e
    LEFT JOIN respg.stream_groups g ON g.object_id = i.object_id AND g.group_id = i.group_id
    LEFT JOIN respg.stream_consumers c ON c.object_id = i.object_id AND c.group_id = i.group_id AND c.consumer_id = i.consumer_id
    ORDER BY i.object_id, i.id
$$;

-- A delayed entry: it is added to the stream at that time, by the clock of the database. Gives a number by which it can be taken back.
CREATE OR REPLACE FUNCTION respg.xadd_at_raw(key bytea, fields bytea[], at timestamptz, db integer DEFAULT 0) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    given bigint;
BEGIN
    IF cardinality(fields) < 2 OR cardinality(fields) % 2 <> 0 OR array_position(fields, NULL) IS NOT NULL OR fields IS NULL THEN
        RAISE EXCEPTION 'fields must be names and values in turn' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO respg.stream_scheduled (due_at, space, key, fields) VALUES (at, respg.space_of(db), key, respg.pack_fields(fields))
    RETURNING stream_scheduled.number INTO given;
    RETURN given;
END $$;

CREATE OR REPLACE FUNCTION respg.xadd_at(key text, fields jsonb, at timestamptz, db integer DEFAULT 0) RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT respg.xadd_at_raw(convert_to(key, 'UTF8'), respg.json_fields(fields), at, db) $$;

-- The same for RESPG.STREAM ADD, with a time in milliseconds since 1970 or from now: -1 if the key is no stream.
CREATE OR REPLACE FUNCTION respg.try_xadd_at(db integer, key bytea, fields bytea[], at_ms bigint, delay_ms bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF EXISTS (SELECT FROM respg.live_row(key, db) k WHERE k.type <> 6) THEN
        RETURN -1;
    END IF;
    RETURN respg.xadd_at_raw(key, fields, CASE WHEN at_ms IS NOT NULL THEN respg.expiry_time(at_ms)
        ELSE respg.expiry_time(respg.clock_ms() + least(delay_ms, 9000000000000000)) END, db);
END $$;

-- Takes a delayed entry back: whether it was still waiting.
CREATE OR REPLACE FUNCTION respg.xcancel(number bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    DELETE FROM respg.stream_scheduled s WHERE s.number = xcancel.number;
    RETURN FOUND;
END $$;

-- Adds scheduled entries that are due to their streams, at most so many. Streams that somebody has locked are left for the next time, and
-- what cannot be added (its key holds something else by now, the stream has no ids left) for a minute later; others do not wait for these.
-- here: of these keys only, null: of all; others, for which the upstream answers, wait until Postgres does. away: what older processes say
-- in its place, the others as far as they knew them.
DROP FUNCTION IF EXISTS respg.add_scheduled(integer), respg.add_scheduled(integer, bytea[]);
CREATE OR REPLACE FUNCTION respg.add_scheduled(most integer, away bytea[] DEFAULT '{}', here bytea[] DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE SET lock_timeout = '100ms'
AS $$
DECLARE
    due    respg.stream_scheduled;
    number integer;
    count  bigint := 0;
    busy   bytea[] := away;
    known  integer;
BEGIN
    LOOP
        known := cardinality(busy);
        FOR due IN SELECT s.* FROM respg.stream_scheduled s
            WHERE s.due_at <= clock_timestamp() AND s.key <> ALL (busy) AND (here IS NULL OR s.key = ANY (here))
            ORDER BY s.due_at, s.number LIMIT most - count FOR UPDATE SKIP LOCKED
        LOOP
            CONTINUE WHEN due.key = ANY (busy);
            SELECT d.db INTO number FROM respg.databases d WHERE d.space = due.space;
            BEGIN
                IF number IS NOT NULL THEN
                    PERFORM respg.xadd_raw(due.key, respg.unpack_fields(due.fields), '*', NULL, number);
                END IF;
                DELETE FROM respg.stream_scheduled s WHERE s.number = due.number;
                count := count + 1;
            EXCEPTION
                WHEN lock_not_available THEN
                    busy := busy || due.key;
                WHEN OTHERS THEN
                    RAISE WARNING 'respg: a scheduled entry cannot be added to its stream: %', SQLERRM;
                    UPDATE respg.stream_scheduled s SET due_at = clock_timestamp() + interval '1 minute' WHERE s.number = due.number;
            END;
        END LOOP;
        -- Each of them takes a tenth of a second.
        EXIT WHEN cardinality(busy) = known OR cardinality(busy) > cardinality(away) + 5;
    END LOOP;
    RETURN count;
END $$;

-- In how many seconds the next scheduled entry is due that was not when the transaction began; null if there is none.
CREATE OR REPLACE FUNCTION respg.next_scheduled() RETURNS double precision LANGUAGE sql VOLATILE
AS $$
    SELECT extract(epoch FROM least(s.due_at, now() + interval '1 day') - clock_timestamp())::double precision
    FROM respg.stream_scheduled s WHERE s.due_at > now() ORDER BY s.due_at, s.number LIMIT 1
$$;

-- Retention of one stream: trims at most so many entries; says how many. The options of a stream that is gone are removed.
CREATE OR REPLACE FUNCTION respg.apply_retention(object_id bigint, most bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
    SET lock_timeout = '100ms' SET enable_seqscan = on
AS $$
#variable_conflict use_variable
DECLARE
    o     respg.stream_options;
    count bigint := 0;
BEGIN
    SELECT t.* INTO o FROM respg.stream_options t WHERE t.object_id = apply_retention.object_id;
    -- The key row is the lock.
    PERFORM FROM respg.keys k WHERE k.space = o.space AND k.key = o.key AND k.type = 6 AND k.object_id = o.object_id FOR UPDATE;
    IF NOT FOUND THEN
        -- Renamed, moved, or gone.
        SELECT k.space, k.key INTO o.space, o.key FROM respg.keys k WHERE k.type = 6 AND k.object_id = o.object_id LIMIT 1;
        IF FOUND THEN
            UPDATE respg.stream_options t SET space = o.space, key = o.key WHERE t.object_id = o.object_id;
        ELSE
            DELETE FROM respg.stream_options t WHERE t.object_id = o.object_id;
        END IF;
        RETURN 0;
    END IF;
    IF o.max_age_ms IS NOT NULL THEN
        count := respg.trim_entries(object_id, NULL, respg.make_id(greatest(respg.clock_ms() - o.max_age_ms, 0), 0), most);
    END IF;
    IF o.max_length IS NOT NULL THEN
        count := count + respg.trim_entries(object_id, o.max_length, NULL, most);
    END IF;
    IF count > 0 THEN
        PERFORM respg.changed(p.key, p.db) FROM respg.place_of(o) p;
    END IF;
    RETURN count;
EXCEPTION WHEN lock_not_available THEN
    RETURN 0;
END $$;

-- Removes what is too old from the archive, at most so many rows; says how many.
CREATE OR REPLACE FUNCTION respg.clean_archive(most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM respg.stream_archive a WHERE a.ctid = ANY (ARRAY(
        SELECT o.ctid FROM respg.stream_archive o WHERE o.keep_until < clock_timestamp() ORDER BY o.keep_until LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

COMMENT ON FUNCTION respg.set_stream_options(bytea, bytea, bigint, interval, interval, bigint, integer) IS 'Replaces the options of a stream; what is not named is off. False if there is no such stream.';
COMMENT ON FUNCTION respg.set_stream_options(text, text, bigint, interval, interval, bigint, integer) IS 'Replaces the options of a stream; what is not named is off. False if there is no such stream.';
COMMENT ON FUNCTION respg.xadd_at(text, jsonb, timestamptz, integer) IS 'A delayed entry: added to the stream at that time. Gives a number for respg.xcancel.';
COMMENT ON FUNCTION respg.xadd_at_raw(bytea, bytea[], timestamptz, integer) IS 'A delayed entry of bytes: names and values in turn.';
COMMENT ON FUNCTION respg.xcancel(bigint) IS 'Takes a delayed entry back: whether it was still waiting.';
