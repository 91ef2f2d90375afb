-- Functions of the group stream: ids and fields in a form for people, and what all objects have in common.

-- An id as Redis shows it: milliseconds and sequence number, both as unsigned 64-bit integers.
CREATE OR REPLACE FUNCTION respg.unsigned(number bigint) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN number < 0 THEN number + 18446744073709551616 ELSE number::numeric END $$;

CREATE OR REPLACE FUNCTION respg.stream_id(id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT respg.unsigned(('x' || left(hex, 16))::bit(64)::bigint) || '-' || respg.unsigned(('x' || right(hex, 16))::bit(64)::bigint)
    FROM (SELECT replace(id::text, '-', '') AS hex) h
$$;

-- 16 hexadecimal digits of an unsigned 64-bit integer.
CREATE OR REPLACE FUNCTION respg.hex64(number numeric) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT lpad(to_hex((CASE WHEN number >= 9223372036854775808 THEN number - 18446744073709551616 ELSE number END)::bigint), 16, '0')
$$;

-- The id of this text: milliseconds, a dash, a sequence number; without sequence number it is 0.
CREATE OR REPLACE FUNCTION respg.stream_id(id text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    ms  numeric;
    seq numeric;
BEGIN
    IF id !~ '\A[0-9]{1,20}(-[0-9]{1,20})?\Z' THEN
        RAISE EXCEPTION 'invalid stream id %', id USING ERRCODE = 'invalid_text_representation';
    END IF;
    ms := split_part(id, '-', 1)::numeric;
    seq := coalesce(nullif(split_part(id, '-', 2), ''), '0')::numeric;
    IF ms > 18446744073709551615 OR seq > 18446744073709551615 THEN
        RAISE EXCEPTION 'invalid stream id %', id USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN (respg.hex64(ms) || respg.hex64(seq))::uuid;
END $$;

-- When an entry with this id was made, if its id says so.
CREATE OR REPLACE FUNCTION respg.stream_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT to_timestamp(least(split_part(respg.stream_id(id), '-', 1)::numeric, 9224318015999999) / 1000.0) $$;

-- Names and values in turn, as respg.stream_entries.fields holds them, and back.
CREATE OR REPLACE FUNCTION respg.pack_fields(fields bytea[]) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT coalesce(string_agg(int4send(octet_length(f.field)) || f.field, ''::bytea ORDER BY f.i), ''::bytea)
    FROM unnest(fields) WITH ORDINALITY AS f (field, i)
$$;

CREATE OR REPLACE FUNCTION respg.unpack_fields(packed bytea) RETURNS bytea[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    fields bytea[] := '{}';
    place  integer := 1;
    size   integer;
BEGIN
    WHILE place < octet_length(packed) LOOP
        size := ('x' || encode(substring(packed FROM place FOR 4), 'hex'))::bit(32)::integer;
        fields := fields || substring(packed FROM place + 4 FOR size);
        place := place + 4 + size;
    END LOOP;
    RETURN fields;
END $$;

-- The version of an object: whatever changes the object raises it. Null if it has none.
CREATE OR REPLACE FUNCTION respg.object_version(type smallint, object_id bigint) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE type WHEN 6 THEN
        (SELECT s.version FROM respg.streams s WHERE s.object_id = object_version.object_id ORDER BY s.version DESC LIMIT 1)
    END
$$;

-- How many parts of an object have an end of their own, of which those hear who wait for it: a stream's groups. Null if it has none.
CREATE OR REPLACE FUNCTION respg.object_parts(type smallint, object_id bigint) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE type WHEN 6 THEN (SELECT count(*) FROM respg.stream_groups g WHERE g.object_id = object_parts.object_id) END
$$;

-- What a live key holds; no row if it is absent.
CREATE OR REPLACE FUNCTION respg.live_object(db integer, stored_key bytea) RETURNS TABLE (type smallint, object_id bigint)
    LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT k.type, k.object_id FROM respg.keys k
    WHERE k.space = (SELECT d.space FROM respg.databases d WHERE d.db = live_object.db) AND k.key = live_object.stored_key
      AND k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= respg.now_ms())
    -- So it is looked up for each key, never joined in another way.
    LIMIT 1
$$;

-- For statements that overwrite keys without having looked: the row names an object, which has to be dropped. They start again.
CREATE OR REPLACE FUNCTION respg.object_in_the_way() RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION 'the key holds an object' USING ERRCODE = 'serialization_failure';
END $$;

-- Gives target the entries of source from first_id on, its groups, consumers and pending entries. The row of the stream is the caller's.
CREATE OR REPLACE FUNCTION respg.copy_stream(source bigint, target bigint, first_id uuid) RETURNS void LANGUAGE sql
AS $$
    INSERT INTO respg.stream_entries (object_id, id, node, fields)
    SELECT target, e.id, e.node, e.fields FROM respg.stream_entries e WHERE e.object_id = source AND e.id >= first_id;
    INSERT INTO respg.stream_groups (object_id, group_id, name, long_name)
    SELECT target, g.group_id, g.name, g.long_name FROM respg.stream_groups g WHERE g.object_id = source;
    INSERT INTO respg.stream_cursors (object_id, group_id, version, last_id, pending_from, entries_read, last_consumer)
    SELECT target, c.group_id, c.version, c.last_id, c.pending_from, c.entries_read, c.last_consumer
    FROM respg.stream_groups g CROSS JOIN LATERAL (SELECT * FROM respg.stream_cursors c
        WHERE c.object_id = source AND c.group_id = g.group_id ORDER BY c.version DESC LIMIT 1) c
    WHERE g.object_id = source;
    INSERT INTO respg.stream_consumers (object_id, group_id, consumer_id, name, long_name)
    SELECT target, c.group_id, c.consumer_id, c.name, c.long_name FROM respg.stream_consumers c WHERE c.object_id = source;
    INSERT INTO respg.stream_activity (object_id, group_id, consumer_id, version, seen_at, active_at)
    SELECT target, a.group_id, a.consumer_id, a.version, a.seen_at, a.active_at
    FROM respg.stream_consumers c CROSS JOIN LATERAL (SELECT * FROM respg.stream_activity a
        WHERE a.object_id = source AND a.group_id = c.group_id AND a.consumer_id = c.consumer_id ORDER BY a.version DESC LIMIT 1) a
    WHERE c.object_id = source;
    INSERT INTO respg.stream_pending (object_id, id, delivered_at, deliveries, group_id, consumer_id)
    SELECT target, p.id, p.delivered_at, p.deliveries, p.group_id, p.consumer_id
    FROM respg.stream_groups g JOIN respg.stream_pending p ON p.object_id = source AND p.group_id = g.group_id WHERE g.object_id = source;
$$;

-- Removes elements of dropped objects and trimmed entries, at most about so many in one transaction; says how many. Whoever else is at the same
-- work takes other objects.
CREATE OR REPLACE FUNCTION respg.sweep_objects(most integer) RETURNS integer LANGUAGE plpgsql
AS $$
DECLARE
    removed integer := 0;
    victim  respg.dropped_objects;
    trim    respg.stream_trims;
    dropped respg.dropped_groups;
    gone    integer;
    last    uuid;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR victim IN SELECT * FROM respg.dropped_objects LIMIT 100 FOR UPDATE SKIP LOCKED LOOP
        EXIT WHEN removed >= most;
        SELECT * INTO gone, last FROM respg.sweep_entries(victim.object_id, victim.progress, NULL, most - removed);
        removed := removed + gone;
        IF removed < most THEN
            DELETE FROM respg.stream_pending p
            WHERE p.object_id = victim.object_id AND (p.group_id, p.id) IN (
                SELECT p.group_id, p.id FROM respg.stream_pending p WHERE p.object_id = victim.object_id
                ORDER BY p.group_id, p.id LIMIT most - removed);
            GET DIAGNOSTICS gone = ROW_COUNT;
            removed := removed + gone;
        END IF;
        IF removed < most THEN
            DELETE FROM respg.stream_activity a WHERE a.object_id = victim.object_id;
            DELETE FROM respg.stream_consumers c WHERE c.object_id = victim.object_id;
            DELETE FROM respg.stream_cursors c WHERE c.object_id = victim.object_id;
            DELETE FROM respg.stream_groups g WHERE g.object_id = victim.object_id;
            DELETE FROM respg.streams s WHERE s.object_id = victim.object_id;
            DELETE FROM respg.stream_trims t WHERE t.object_id = victim.object_id;
            DELETE FROM respg.stream_options o WHERE o.object_id = victim.object_id;
            DELETE FROM respg.dropped_groups d WHERE d.object_id = victim.object_id;
            DELETE FROM respg.dropped_objects d WHERE d.object_id = victim.object_id;
            removed := removed + 1;
        ELSIF last IS NOT NULL THEN
            UPDATE respg.dropped_objects d SET progress = last WHERE d.object_id = victim.object_id;
        END IF;
    END LOOP;
    FOR trim IN SELECT * FROM respg.stream_trims LIMIT 100 FOR UPDATE SKIP LOCKED LOOP
        EXIT WHEN removed >= most;
        SELECT * INTO gone, last FROM respg.sweep_entries(trim.object_id, trim.first_id, trim.end_id, most - removed);
        removed := removed + gone;
        IF removed < most THEN
            DELETE FROM respg.stream_trims t WHERE t.object_id = trim.object_id AND t.first_id = trim.first_id;
        ELSE
            UPDATE respg.stream_trims t SET first_id = last WHERE t.object_id = trim.object_id AND t.first_id = trim.first_id;
        END IF;
    END LOOP;
    -- What was pending in groups that were destroyed.
    FOR dropped IN SELECT * FROM respg.dropped_groups LIMIT 100 FOR UPDATE SKIP LOCKED LOOP
        EXIT WHEN removed >= most;
        DELETE FROM respg.stream_pending p
        WHERE p.object_id = dropped.object_id AND p.group_id = dropped.group_id AND p.id IN (
            SELECT p.id FROM respg.stream_pending p WHERE p.object_id = dropped.object_id AND p.group_id = dropped.group_id
            ORDER BY p.id LIMIT most - removed);
        GET DIAGNOSTICS gone = ROW_COUNT;
        removed := removed + gone;
        IF removed < most THEN
            DELETE FROM respg.dropped_groups d WHERE d.object_id = dropped.object_id AND d.group_id = dropped.group_id;
        END IF;
    END LOOP;
    RETURN removed;
END $$;

-- Deletes the first entries from lower on, and below upper if that is given: how many, and the last of them.
CREATE OR REPLACE FUNCTION respg.sweep_entries(object bigint, lower uuid, upper uuid, most integer, OUT gone integer, OUT last uuid)
    LANGUAGE sql
AS $$
    WITH gone AS (
        DELETE FROM respg.stream_entries e
        USING (SELECT e.id FROM respg.stream_entries e
               WHERE e.object_id = object AND e.id >= lower AND e.id < coalesce(upper, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
               ORDER BY e.id LIMIT most) doomed
        WHERE e.object_id = object AND e.id = doomed.id
        RETURNING e.id)
    SELECT count(*)::integer, (SELECT g.id FROM gone g ORDER BY g.id DESC LIMIT 1) FROM gone
$$;

-- The objects of a space go to the tables of the other kind, logged or unlogged: their ids change sign.
CREATE OR REPLACE FUNCTION respg.move_objects(place integer) RETURNS void LANGUAGE sql
AS $$
    UPDATE respg.stream_entries e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_groups e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_options e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_cursors e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_activity e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.dropped_groups e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_consumers e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_pending e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.stream_trims e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.streams e SET object_id = -e.object_id FROM respg.keys k WHERE k.space = place AND k.type = 6 AND e.object_id = k.object_id;
    UPDATE respg.keys k SET object_id = -k.object_id WHERE k.space = place AND k.object_id IS NOT NULL;
$$;
