-- Functions of the group streams: ids and fields in a form for people, and what all objects have in common.

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
