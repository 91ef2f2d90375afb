-- Streams for clients of SQL: functions that take part in the caller's transaction, as those of sql_client.sql do. A stream that a transaction has
-- changed is locked until its end; blocked Redis clients wake up when it commits and never hear of it if it does not.
--
-- Errors: 42804 the key holds something that is no stream; 42704 there is no such stream or group; 22P02 an id is none; 22023 an id is not
-- above the last one, or the fields are no pairs.

-- Bytes as text; those that are no UTF-8 in hexadecimal digits after \x.
CREATE OR REPLACE FUNCTION respg.readable(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT
AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN data_exception THEN
    RETURN '\x' || encode(bytes, 'hex');
END $$;

-- Fields as a JSON object; of a name that is there twice the last value.
CREATE OR REPLACE FUNCTION respg.fields_json(packed bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT coalesce(jsonb_object_agg(respg.readable(w.words[2 * i - 1]), respg.readable(w.words[2 * i]) ORDER BY i), '{}')
    FROM (SELECT respg.unpack_fields(packed) AS words) w, generate_series(1, cardinality(w.words) / 2) AS i
$$;

-- The other way round: values that are no strings as JSON writes them, null as an empty string.
CREATE OR REPLACE FUNCTION respg.json_fields(fields jsonb) RETURNS bytea[] LANGUAGE sql IMMUTABLE STRICT
AS $$
    SELECT coalesce(array_agg(convert_to(f.word, 'UTF8') ORDER BY f.place, f.part), '{}')
    FROM (SELECT p.place, w.part, w.word
          FROM jsonb_each_text(fields) WITH ORDINALITY AS p (name, value, place),
               unnest(ARRAY[p.name, coalesce(p.value, '')]) WITH ORDINALITY AS w (word, part)) f
$$;

-- What Redis's listpack needs for an integer, and for a string (src/keyspace/stream/node.rs).
CREATE OR REPLACE FUNCTION respg.listpack_size(number numeric) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT 1 + CASE WHEN number BETWEEN 0 AND 127 THEN 1 WHEN number BETWEEN -4096 AND 4095 THEN 2 WHEN number BETWEEN -32768 AND 32767 THEN 3
                    WHEN number BETWEEN -8388608 AND 8388607 THEN 4 WHEN number BETWEEN -2147483648 AND 2147483647 THEN 5 ELSE 9 END
$$;

CREATE OR REPLACE FUNCTION respg.listpack_size(word bytea) RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    size integer := octet_length(word);
BEGIN
    IF size <= 20 AND encode(word, 'escape') ~ '\A(0|-?[1-9][0-9]{0,18})\Z' THEN
        IF encode(word, 'escape')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN
            RETURN respg.listpack_size(encode(word, 'escape')::numeric);
        END IF;
    END IF;
    size := size + CASE WHEN size < 64 THEN 1 WHEN size < 4096 THEN 2 ELSE 5 END;
    RETURN size + CASE WHEN size <= 127 THEN 1 WHEN size < 16383 THEN 2 WHEN size < 2097151 THEN 3 WHEN size < 268435455 THEN 4 ELSE 5 END;
END $$;

-- 64 bits of an id: 0 the milliseconds, 1 the sequence number.
CREATE OR REPLACE FUNCTION respg.id_part(id uuid, part integer) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT respg.unsigned(('x' || substring(replace(id::text, '-', '') FROM 1 + 16 * part FOR 16))::bit(64)::bigint) $$;

CREATE OR REPLACE FUNCTION respg.make_id(ms numeric, seq numeric) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT (respg.hex64(ms) || respg.hex64(seq))::uuid $$;

-- The id above this one.
CREATE OR REPLACE FUNCTION respg.next_id(id uuid) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
BEGIN
    IF id = 'ffffffff-ffff-ffff-ffff-ffffffffffff' THEN
        RAISE EXCEPTION 'the stream has exhausted the last possible id' USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    RETURN CASE WHEN respg.id_part(id, 1) = 18446744073709551615 THEN respg.make_id(respg.id_part(id, 0) + 1, 0)
                ELSE respg.make_id(respg.id_part(id, 0), respg.id_part(id, 1) + 1) END;
END $$;

-- The newest row of a stream.
CREATE OR REPLACE FUNCTION respg.stream_row(object_id bigint) RETURNS SETOF respg.streams LANGUAGE sql STABLE ROWS 1
    AS $$ SELECT s.* FROM respg.streams s WHERE s.object_id = stream_row.object_id ORDER BY s.version DESC LIMIT 1 $$;

-- Locks the key, which is about to be changed, and gives its stream's object id: null if the key is absent and not to be made. Made streams are empty.
CREATE OR REPLACE FUNCTION respg.lock_stream(key bytea, db integer, make boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    place  CONSTANT integer := respg.space_of(db);
    stored CONSTANT bytea := respg.stored_key(key);
    row    respg.keys;
    made   bigint;
    zero   CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION 'the key must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM respg.changed(key, db);
    LOOP
        SELECT k.* INTO row FROM respg.keys k WHERE k.space = place AND k.key = stored FOR UPDATE;
        EXIT WHEN FOUND OR NOT make;
        INSERT INTO respg.keys (space, key, long_key, type) VALUES (place, stored, respg.long_key(key), 0) ON CONFLICT DO NOTHING;
    END LOOP;
    IF respg.is_live(row.type, row.expires_at) THEN
        IF row.type <> 6 THEN
            RAISE EXCEPTION 'the key holds no stream' USING ERRCODE = 'datatype_mismatch';
        END IF;
        RETURN row.object_id;
    END IF;
    IF NOT make THEN
        RETURN NULL;
    END IF;
    IF row.object_id IS NOT NULL THEN
        INSERT INTO respg.dropped_objects (object_id, type) VALUES (row.object_id, row.type) ON CONFLICT DO NOTHING;
    END IF;
    made := nextval('respg.object_id') * CASE WHEN place < 0 THEN -1 ELSE 1 END;
    UPDATE respg.keys k SET type = 6, value = NULL, object_id = made, expires_at = NULL WHERE k.space = place AND k.key = stored;
    INSERT INTO respg.streams (object_id, version, length, entries_added, first_id, last_id, max_deleted_id, node_first, node_fields, node, node_bytes,
                               node_entries, node_live)
    VALUES (made, 0, 0, 0, zero, zero, zero, zero, 0, 0, 0, 0, 0);
    RETURN made;
END $$;

-- Adds an entry to a stream whose key is locked. id: a whole id, or null for the next one by the clock.
CREATE OR REPLACE FUNCTION respg.append_entry(object_id bigint, wanted uuid, words bytea[]) RETURNS uuid LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_variable
DECLARE
    s      respg.streams;
    id     uuid := wanted;
    pairs  CONSTANT integer := cardinality(words) / 2;
    packed CONSTANT bytea := respg.pack_fields(words);
    names  CONSTANT bytea[] := ARRAY(SELECT words[2 * i - 1] FROM generate_series(1, pairs) i ORDER BY i);
    digest CONSTANT bigint := ('x' || encode(substring(sha256(respg.pack_fields(names)) FROM 1 FOR 8), 'hex'))::bit(64)::bigint;
    name_size  CONSTANT integer := (SELECT coalesce(sum(respg.listpack_size(name)), 0) FROM unnest(names) AS name);
    value_size CONSTANT integer := (SELECT coalesce(sum(respg.listpack_size(words[2 * i])), 0) FROM generate_series(1, pairs) i);
    size   bigint;
BEGIN
    SELECT * INTO STRICT s FROM respg.stream_row(object_id);
    IF id IS NULL THEN
        id := respg.make_id(respg.clock_ms(), 0);
        IF id <= s.last_id THEN
            id := respg.next_id(s.last_id);
        END IF;
    ELSIF id <= s.last_id THEN
        RAISE EXCEPTION 'the id % is not above the last one, %', respg.stream_id(id), respg.stream_id(s.last_id)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- As Node::append (src/keyspace/stream/node.rs).
    IF s.node_live = 0 OR s.node_entries >= 100 OR s.node_bytes + octet_length(packed) - 8 * pairs >= 4096 THEN
        s.node := CASE s.node WHEN 2147483647 THEN -2147483648 ELSE s.node + 1 END;
        s.node_first := id;
        s.node_fields := digest;
        s.node_bytes := 7 + 2 + 2 + respg.listpack_size(pairs::numeric) + name_size + 2;
        s.node_entries := 0;
        s.node_live := 0;
    END IF;
    size := 2 + value_size + respg.listpack_size(respg.id_part(id, 0) - respg.id_part(s.node_first, 0))
          + respg.listpack_size(respg.id_part(id, 1) - respg.id_part(s.node_first, 1));
    IF s.node_fields = digest THEN
        size := size + respg.listpack_size((pairs + 3)::numeric);
    ELSE
        size := size + respg.listpack_size(pairs::numeric) + name_size + respg.listpack_size((2 * pairs + 4)::numeric);
    END IF;
    INSERT INTO respg.stream_entries (object_id, id, node, fields) VALUES (object_id, id, s.node, packed);
    UPDATE respg.streams t
    SET version = s.version + 1, length = s.length + 1, entries_added = s.entries_added + 1, last_id = id, node = s.node,
        node_first = s.node_first, node_fields = s.node_fields, node_bytes = least(s.node_bytes + size, 2147483647)::integer,
        node_entries = s.node_entries + 1, node_live = s.node_live + 1
    WHERE t.object_id = append_entry.object_id AND t.version = s.version;
    RETURN id;
END $$;

-- Keeps the newest entries: most so many, none below an id. At most `patience` go; says how many. Many are left to the sweeper.
CREATE OR REPLACE FUNCTION respg.trim_entries(object_id bigint, most bigint, lowest uuid, patience bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_variable
DECLARE
    s       respg.streams;
    surplus bigint;
    removed bigint;
    edge    uuid;
BEGIN
    SELECT * INTO STRICT s FROM respg.stream_row(object_id);
    surplus := least(patience, CASE WHEN lowest IS NULL THEN greatest(s.length - most, 0) ELSE s.length END);
    IF surplus = 0 THEN
        RETURN 0;
    END IF;
    SELECT count(*), max(o.id::text)::uuid INTO removed, edge FROM (
        SELECT e.id FROM respg.stream_entries e
        WHERE e.object_id = trim_entries.object_id AND e.id >= s.first_id AND (lowest IS NULL OR e.id < lowest)
        ORDER BY e.id LIMIT surplus) o;
    IF removed = 0 THEN
        RETURN 0;
    ELSIF removed <= 1000 THEN
        DELETE FROM respg.stream_entries e WHERE e.object_id = trim_entries.object_id AND e.id BETWEEN s.first_id AND edge;
    ELSE
        INSERT INTO respg.stream_trims AS t (object_id, first_id, end_id) VALUES (object_id, s.first_id, respg.next_id(edge))
        ON CONFLICT ON CONSTRAINT stream_trims_pkey DO UPDATE SET end_id = greatest(t.end_id, excluded.end_id);
    END IF;
    UPDATE respg.streams t
    SET version = s.version + 1, length = s.length - removed,
        first_id = coalesce((SELECT e.id FROM respg.stream_entries e WHERE e.object_id = trim_entries.object_id AND e.id > edge
                             ORDER BY e.id LIMIT 1), respg.next_id(s.last_id)),
        -- Everything that is left is in the last node.
        node_live = CASE WHEN edge >= s.node_first OR s.length = removed THEN s.length - removed ELSE s.node_live END
    WHERE t.object_id = trim_entries.object_id AND t.version = s.version;
    RETURN removed;
END $$;

-- Wakes up who waits for the key, in any process, at the commit. The topic: src/state/waiters/topic.rs.
CREATE OR REPLACE FUNCTION respg.wake(key bytea, db integer) RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT respg.signal(convert_to(db || ':', 'UTF8') || key) $$;

-- XADD: the entry's id. fields: names and values in turn. maxlen: keeps so many entries.
CREATE OR REPLACE FUNCTION respg.xadd_raw(key bytea, fields bytea[], id text DEFAULT '*', maxlen bigint DEFAULT NULL, db integer DEFAULT 0)
    RETURNS text LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    object CONSTANT bigint := respg.lock_stream(key, db, true);
    added  uuid;
BEGIN
    IF cardinality(fields) < 2 OR cardinality(fields) % 2 <> 0 OR array_position(fields, NULL) IS NOT NULL OR fields IS NULL THEN
        RAISE EXCEPTION 'fields must be names and values in turn' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF maxlen < 0 THEN
        RAISE EXCEPTION 'maxlen must be at least 0' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    added := respg.append_entry(object, CASE WHEN id <> '*' THEN respg.stream_id(id) END, fields);
    IF maxlen IS NOT NULL THEN
        PERFORM respg.trim_entries(object, maxlen, NULL, 9223372036854775807);
    END IF;
    PERFORM respg.wake(key, db);
    RETURN respg.stream_id(added);
END $$;

CREATE OR REPLACE FUNCTION respg.xadd(key text, fields jsonb, id text DEFAULT '*', maxlen bigint DEFAULT NULL, db integer DEFAULT 0)
    RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT respg.xadd_raw(convert_to(key, 'UTF8'), respg.json_fields(fields), id, maxlen, db) $$;

-- What entries-read becomes when a group whose cursor is at `last` and has read so many gets this entry; null if that cannot be known.
-- `first` is the stream's first entry. As Progress in src/keyspace/stream/groups/lag.rs.
CREATE OR REPLACE FUNCTION respg.read_after(s respg.streams, first uuid, last uuid, read bigint, id uuid) RETURNS bigint LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    zero     CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    gapless  CONSTANT boolean := s.max_deleted_id = zero OR first > s.max_deleted_id;
BEGIN
    IF read IS NOT NULL AND last >= first AND (gapless OR s.length = 0 OR last > s.max_deleted_id) THEN
        RETURN read + 1;
    ELSIF s.entries_added = 0 THEN
        RETURN read;
    ELSIF id <> zero AND id < s.max_deleted_id THEN
        RETURN NULL;
    ELSIF id = s.last_id THEN
        RETURN s.entries_added;
    ELSIF gapless AND id < first THEN
        RETURN s.entries_added - s.length;
    ELSIF gapless AND id = first THEN
        RETURN s.entries_added - s.length + 1;
    END IF;
    RETURN NULL;
END $$;

-- XGROUP CREATE with MKSTREAM: whether there was no such group. id: `$`, or the id after which it begins.
CREATE OR REPLACE FUNCTION respg.xgroup_create(key bytea, group_name bytea, id text DEFAULT '$', db integer DEFAULT 0) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    object CONSTANT bigint := respg.lock_stream(key, db, true);
    -- Groups that were destroyed keep their number until what was pending in them is swept.
    number CONSTANT integer := 1 + greatest((SELECT max(g.group_id) FROM respg.stream_groups g WHERE g.object_id = object),
                                            (SELECT max(d.group_id) FROM respg.dropped_groups d WHERE d.object_id = object), 0);
    start  uuid;
BEGIN
    INSERT INTO respg.stream_groups (object_id, group_id, name, long_name)
    VALUES (object, number, respg.stored_key(group_name), respg.long_key(group_name)) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT CASE id WHEN '$' THEN s.last_id ELSE respg.stream_id(id) END INTO STRICT start FROM respg.stream_row(object) s;
    INSERT INTO respg.stream_cursors (object_id, version, last_id, pending_from, entries_read, group_id)
    VALUES (object, 1, start, '00000000-0000-0000-0000-000000000000', NULL, number);
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION respg.xgroup_create(key text, group_name text, id text DEFAULT '$', db integer DEFAULT 0) RETURNS boolean
    LANGUAGE sql VOLATILE
    AS $$ SELECT respg.xgroup_create(convert_to(key, 'UTF8'), convert_to(group_name, 'UTF8'), id, db) $$;

-- The number of a group of a stream whose key is locked.
CREATE OR REPLACE FUNCTION respg.group_number(object_id bigint, group_name bytea) RETURNS integer LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found_group integer;
BEGIN
    SELECT g.group_id INTO found_group FROM respg.stream_groups g
    WHERE g.object_id = group_number.object_id AND g.name = respg.stored_key(group_name);
    IF found_group IS NULL THEN
        RAISE EXCEPTION 'there is no such stream or consumer group' USING ERRCODE = 'undefined_object';
    END IF;
    RETURN found_group;
END $$;

-- XREADGROUP with `>`: entries that nobody of the group has been given yet. They are pending until they are acknowledged, unless noack.
CREATE OR REPLACE FUNCTION respg.xreadgroup_raw(key bytea, group_name bytea, consumer bytea, count bigint DEFAULT 1, noack boolean DEFAULT false,
                                                db integer DEFAULT 0)
    RETURNS TABLE (id text, fields bytea[]) LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_variable
DECLARE
    object  CONSTANT bigint := respg.lock_stream(key, db, false);
    number  CONSTANT integer := respg.group_number(object, group_name);
    now     CONSTANT bigint := respg.clock_ms();
    s       respg.streams;
    cursor  respg.stream_cursors;
    was     bigint;
    reader  integer;
    first   uuid;
    entry   respg.stream_entries;
    given   uuid[] := '{}';
BEGIN
    SELECT * INTO STRICT s FROM respg.stream_row(object);
    SELECT c.* INTO STRICT cursor FROM respg.stream_cursors c
    WHERE c.object_id = object AND c.group_id = number ORDER BY c.version DESC LIMIT 1;
    SELECT c.consumer_id INTO reader FROM respg.stream_consumers c
    WHERE c.object_id = object AND c.group_id = number AND c.name = respg.stored_key(consumer);
    SELECT e.id INTO first FROM respg.stream_entries e WHERE e.object_id = object AND e.id >= s.first_id ORDER BY e.id LIMIT 1;
    was := cursor.version;
    IF reader IS NULL THEN
        reader := cursor.last_consumer + 1;
        cursor.last_consumer := reader;
        cursor.version := was + 1;
        INSERT INTO respg.stream_consumers (object_id, group_id, consumer_id, name, long_name)
        VALUES (object, number, reader, respg.stored_key(consumer), respg.long_key(consumer));
    END IF;
    FOR entry IN SELECT e.* FROM respg.stream_entries e
        WHERE e.object_id = object AND e.id > cursor.last_id AND e.id >= s.first_id ORDER BY e.id LIMIT count
    LOOP
        cursor.entries_read := respg.read_after(s, first, cursor.last_id, cursor.entries_read, entry.id);
        cursor.last_id := entry.id;
        cursor.version := was + 1;
        given := given || entry.id;
        id := respg.stream_id(entry.id);
        fields := respg.unpack_fields(entry.fields);
        RETURN NEXT;
    END LOOP;
    IF NOT noack AND given <> '{}' THEN
        INSERT INTO respg.stream_pending AS p (object_id, id, delivered_at, deliveries, group_id, consumer_id)
        SELECT object, g.id, now, 1, number, reader FROM unnest(given) AS g (id)
        ON CONFLICT ON CONSTRAINT stream_pending_pkey DO UPDATE SET delivered_at = now, deliveries = 1, consumer_id = reader;
        cursor.pending_from := least(cursor.pending_from, given[1]);
    END IF;
    IF cursor.version > was THEN
        UPDATE respg.stream_cursors c
        SET version = cursor.version, last_id = cursor.last_id, pending_from = cursor.pending_from, entries_read = cursor.entries_read,
            last_consumer = cursor.last_consumer
        WHERE c.object_id = object AND c.group_id = number AND c.version = was;
    END IF;
    PERFORM respg.note_activity(object, number, reader, now, CASE WHEN given <> '{}' THEN now END);
END $$;

CREATE OR REPLACE FUNCTION respg.xreadgroup(key text, group_name text, consumer text, count bigint DEFAULT 1, noack boolean DEFAULT false,
                                            db integer DEFAULT 0)
    RETURNS TABLE (id text, fields jsonb) LANGUAGE sql VOLATILE
AS $$
    SELECT r.id, respg.fields_json(respg.pack_fields(r.fields))
    FROM respg.xreadgroup_raw(convert_to(key, 'UTF8'), convert_to(group_name, 'UTF8'), convert_to(consumer, 'UTF8'), count, noack, db) r
$$;

-- A consumer was seen, and if `active` is not null it was given something.
CREATE OR REPLACE FUNCTION respg.note_activity(object_id bigint, number integer, reader integer, seen bigint, active bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_variable
BEGIN
    UPDATE respg.stream_activity a SET version = a.version + 1, seen_at = seen, active_at = coalesce(active, a.active_at)
    WHERE a.object_id = note_activity.object_id AND a.group_id = number AND a.consumer_id = reader
      AND a.version = (SELECT v.version FROM respg.stream_activity v
                       WHERE v.object_id = note_activity.object_id AND v.group_id = number AND v.consumer_id = reader
                       ORDER BY v.version DESC LIMIT 1);
    IF NOT FOUND THEN
        INSERT INTO respg.stream_activity (object_id, version, seen_at, active_at, group_id, consumer_id)
        VALUES (object_id, 1, seen, active, number, reader);
    END IF;
END $$;

-- XACK: how many entries were pending and are not any more.
CREATE OR REPLACE FUNCTION respg.xack(key bytea, group_name bytea, ids text[], db integer DEFAULT 0) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    object CONSTANT bigint := respg.lock_stream(key, db, false);
    wanted CONSTANT uuid[] := ARRAY(SELECT respg.stream_id(i) FROM unnest(ids) AS i);
    number integer;
    gone   bigint;
BEGIN
    SELECT g.group_id INTO number FROM respg.stream_groups g WHERE g.object_id = object AND g.name = respg.stored_key(group_name);
    IF number IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM respg.archive(array_agg(object), array_agg(number), array_agg(p.id), array_agg(p.consumer_id), array_agg(p.delivered_at),
                          array_agg(p.deliveries))
    FROM respg.stream_pending p WHERE p.object_id = object AND p.group_id = number AND p.id = ANY (wanted)
    HAVING (SELECT s.archive FROM respg.stream_row(object) s);
    DELETE FROM respg.stream_pending p WHERE p.object_id = object AND p.group_id = number AND p.id = ANY (wanted);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;

CREATE OR REPLACE FUNCTION respg.xack(key text, group_name text, ids text[], db integer DEFAULT 0) RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT respg.xack(convert_to(key, 'UTF8'), convert_to(group_name, 'UTF8'), ids, db) $$;

CREATE OR REPLACE FUNCTION respg.xack(key text, group_name text, id text, db integer DEFAULT 0) RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT respg.xack(key, group_name, ARRAY[id], db) $$;

COMMENT ON FUNCTION respg.xadd(text, jsonb, text, bigint, integer) IS 'XADD of a JSON object''s members: the entry''s id. maxlen trims to so many entries.';
COMMENT ON FUNCTION respg.xadd_raw(bytea, bytea[], text, bigint, integer) IS 'XADD of bytes: names and values in turn.';
COMMENT ON FUNCTION respg.xgroup_create(bytea, bytea, text, integer) IS 'XGROUP CREATE ... MKSTREAM: whether there was no such group.';
COMMENT ON FUNCTION respg.xgroup_create(text, text, text, integer) IS 'XGROUP CREATE ... MKSTREAM: whether there was no such group.';
COMMENT ON FUNCTION respg.xreadgroup(text, text, text, bigint, boolean, integer) IS 'XREADGROUP with >: entries nobody of the group was given, pending from now on unless noack. Does not block.';
COMMENT ON FUNCTION respg.xreadgroup_raw(bytea, bytea, bytea, bigint, boolean, integer) IS 'XREADGROUP of bytes: names and values in turn.';
COMMENT ON FUNCTION respg.xack(bytea, bytea, text[], integer) IS 'XACK: how many entries were pending.';
COMMENT ON FUNCTION respg.xack(text, text, text[], integer) IS 'XACK: how many entries were pending.';
COMMENT ON FUNCTION respg.xack(text, text, text, integer) IS 'XACK of one entry.';
