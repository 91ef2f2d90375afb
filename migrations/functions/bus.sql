-- Publish/subscribe for clients of SQL, and the bus's housekeeping. The form of a packet: src/store/bus/packet.rs.

-- LISTEN and UNLISTEN, of the listening session: their channel is no parameter.
CREATE OR REPLACE FUNCTION respg.listen(gone text[], wanted text[]) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    channel text;
BEGIN
    FOREACH channel IN ARRAY gone LOOP
        EXECUTE format('UNLISTEN %I', channel);
    END LOOP;
    FOREACH channel IN ARRAY wanted LOOP
        EXECUTE format('LISTEN %I', channel);
    END LOOP;
END $$;

-- The bytes as text, null if they are none.
CREATE OR REPLACE FUNCTION respg.as_text(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT
AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN data_exception OR feature_not_supported THEN
    RETURN NULL;
END $$;

-- A field of a packet.
CREATE OR REPLACE FUNCTION respg.bus_field(bytes bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT 'b' || length(f.text) || ':' || f.text FROM (SELECT translate(encode(bytes, 'base64'), E'\n', '') AS text) f $$;

-- Sends one item through the bus as part of the transaction.
CREATE OR REPLACE FUNCTION respg.send(kind text, name bytea, body bytea) RETURNS bigint LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    id CONSTANT bigint := nextval('respg.message_id');
    item text;
BEGIN
    IF octet_length(name) + octet_length(body) <= 5700 THEN
        item := kind || respg.bus_field(name) || CASE WHEN kind <> 'w' THEN respg.bus_field(body) ELSE '' END;
    ELSE
        INSERT INTO respg.messages (id, kind, number, name, body) VALUES (id, kind, 0, name, body);
        item := '@' || id || ';';
    END IF;
    PERFORM pg_notify('respg:bus', '0.' || id || ';' || item);
    RETURN id;
END $$;

-- PUBLISH: delivered when the transaction commits, never if it does not.
CREATE OR REPLACE FUNCTION respg.publish(channel bytea, payload bytea) RETURNS void LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    id bigint;
    channel_text CONSTANT text := respg.as_text(channel);
    payload_text text := respg.as_text(payload);
BEGIN
    IF channel IS NULL OR payload IS NULL THEN
        RAISE EXCEPTION 'channel and payload must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    id := respg.send('m', channel, payload);
    IF octet_length(channel) BETWEEN 1 AND 63 AND channel_text <> 'respg:bus' THEN
        IF payload_text IS NULL AND octet_length(payload) < 3999 THEN
            payload_text := '\x' || encode(payload, 'hex');
        ELSIF payload_text IS NULL OR octet_length(payload_text) >= 8000 THEN
            IF octet_length(channel) + octet_length(payload) <= 5700 THEN
                INSERT INTO respg.messages (id, kind, number, name, body) VALUES (id, 'm', 0, channel, payload);
            END IF;
            payload_text := 'respg.message(' || id || ')';
        END IF;
        PERFORM pg_notify(channel_text, payload_text);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION respg.publish(channel text, payload text) RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT respg.publish(convert_to(channel, 'UTF8'), convert_to(payload, 'UTF8')) $$;

-- SPUBLISH.
CREATE OR REPLACE FUNCTION respg.spublish(channel bytea, payload bytea) RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT respg.send('h', channel, payload) $$;

-- Wakes up whoever waits for this topic, in any process, when the transaction commits.
CREATE OR REPLACE FUNCTION respg.signal(topic bytea) RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT respg.send('w', topic, '') $$;

-- The bytes of a message that did not fit its notification; null when it is older than a minute.
CREATE OR REPLACE FUNCTION respg.message(id bigint) RETURNS bytea LANGUAGE sql STABLE
    AS $$ SELECT m.body FROM respg.messages m WHERE m.id = message.id $$;

-- Says what clients of a process have subscribed to: only what has changed.
CREATE OR REPLACE FUNCTION respg.count_subscriptions(of_process integer, kinds text[], names bytea[], counts integer[])
    RETURNS void LANGUAGE sql VOLATILE
AS $$
    DELETE FROM respg.subscriptions s USING unnest(kinds, names, counts) AS c (kind, name, clients)
    WHERE s.process = of_process AND s.kind = c.kind AND s.digest = sha256(c.name) AND c.clients = 0;
    INSERT INTO respg.subscriptions AS s (process, clients, kind, digest, name)
    SELECT of_process, c.clients, c.kind, sha256(c.name), c.name FROM unnest(kinds, names, counts) AS c (kind, name, clients)
    WHERE c.clients > 0
    ON CONFLICT (process, kind, digest) DO UPDATE SET clients = excluded.clients;
$$;

-- Enters a process whose listening session this is. False while an older session of the process has not ended.
CREATE OR REPLACE FUNCTION respg.enter(entering integer) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT pg_try_advisory_lock(1919250544, entering) THEN
        RETURN false;
    END IF;
    INSERT INTO respg.processes (process) VALUES (entering) ON CONFLICT DO NOTHING;
    DELETE FROM respg.lost_processes l WHERE l.process = entering;
    DELETE FROM respg.subscriptions s WHERE s.process = entering;
    RETURN true;
END $$;

-- A process does not hear anything, or is gone.
CREATE OR REPLACE FUNCTION respg.lose(lost integer) RETURNS void LANGUAGE sql VOLATILE
AS $$ INSERT INTO respg.lost_processes (process) VALUES (lost) ON CONFLICT (process) DO UPDATE SET seen_at = now() $$;

-- Housekeeping: forgets processes that are gone and says so to the others, removes old messages. How full the queue of notifications is.
CREATE OR REPLACE FUNCTION respg.tend_bus(own_process integer) RETURNS double precision LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    dead integer;
BEGIN
    FOR dead IN SELECT p.process FROM respg.processes p WHERE p.process <> own_process ORDER BY p.process LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(1919250544, dead);
        DELETE FROM respg.processes p WHERE p.process = dead;
        IF FOUND THEN
            PERFORM respg.lose(dead);
            DELETE FROM respg.subscriptions s WHERE s.process = dead;
            PERFORM pg_notify('respg:bus', '0.' || nextval('respg.message_id') || ';g' || dead || ';');
        END IF;
    END LOOP;
    DELETE FROM respg.lost_processes l WHERE l.process IN (
        SELECT o.process FROM respg.lost_processes o WHERE o.seen_at < now() - interval '1 minute' FOR UPDATE SKIP LOCKED);
    DELETE FROM respg.messages m WHERE m.id IN (
        SELECT o.id FROM respg.messages o WHERE o.created_at < now() - interval '1 minute' LIMIT 1000 FOR UPDATE SKIP LOCKED);
    RETURN pg_notification_queue_usage();
END $$;

COMMENT ON FUNCTION respg.publish(bytea, bytea) IS 'PUBLISH: delivered to Redis''s subscribers and to LISTEN when the transaction commits.';
COMMENT ON FUNCTION respg.publish(text, text) IS 'PUBLISH of text as UTF-8.';
COMMENT ON FUNCTION respg.spublish(bytea, bytea) IS 'SPUBLISH.';
COMMENT ON FUNCTION respg.message(bigint) IS 'The bytes of a message that did not fit its notification.';
