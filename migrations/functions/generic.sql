-- Functions of the group generic: commands that look at a whole database. Expired keys and placeholders (type 0) are never shown.

-- The time by which keys expire: milliseconds since 1970, of the transaction's start.
CREATE OR REPLACE FUNCTION respg.now_ms() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT floor(extract(epoch FROM now()) * 1000)::bigint $$;

-- KEYS: keys from lower up to but not including upper that are LIKE the pattern. Sessions of respg never scan sequentially, but here
-- that is often the best, so the planner may choose, knowing the values.
CREATE OR REPLACE FUNCTION respg.matching_keys(db integer, lower bytea, upper bytea, pattern bytea) RETURNS SETOF bytea
    LANGUAGE plpgsql STABLE
    SET enable_seqscan = on SET enable_bitmapscan = on SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    place CONSTANT integer := (SELECT d.space FROM respg.databases d WHERE d.db = matching_keys.db);
BEGIN
    RETURN QUERY
        SELECT coalesce(k.long_key, k.key) FROM respg.keys k
        WHERE k.space = place AND k.key >= lower AND k.key < upper AND coalesce(k.long_key, k.key) LIKE pattern
          AND k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= respg.now_ms());
END $$;

-- DBSIZE.
CREATE OR REPLACE FUNCTION respg.dbsize(db integer) RETURNS bigint LANGUAGE plpgsql STABLE
    SET enable_seqscan = on SET enable_bitmapscan = on SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    place CONSTANT integer := (SELECT d.space FROM respg.databases d WHERE d.db = dbsize.db);
BEGIN
    RETURN (SELECT count(*) FROM respg.keys k
            WHERE k.space = place AND k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= respg.now_ms()));
END $$;

-- RANDOMKEY: one of the 32 rows that follow a random place in the order of SCAN, which evens out the gaps between their hashes.
-- Only when all of these are expired does it look further.
CREATE OR REPLACE FUNCTION respg.randomkey(db integer) RETURNS bytea LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    place CONSTANT integer := (SELECT d.space FROM respg.databases d WHERE d.db = randomkey.db);
    start CONSTANT bigint := floor(random() * (1::bigint << 48));
    now   CONSTANT bigint := respg.now_ms();
    found_key bytea;
BEGIN
    SELECT nearby.name INTO found_key
    FROM (SELECT part.* FROM (
            (SELECT 1 AS round, respg.scan_hash(k.key) AS hash, coalesce(k.long_key, k.key) AS name, k.type, k.expires_at
             FROM respg.keys k WHERE k.space = place AND respg.scan_hash(k.key) >= start
             ORDER BY respg.scan_hash(k.key) LIMIT 32)
            UNION ALL
            (SELECT 2, respg.scan_hash(k.key), coalesce(k.long_key, k.key), k.type, k.expires_at
             FROM respg.keys k WHERE k.space = place AND respg.scan_hash(k.key) < start
             ORDER BY respg.scan_hash(k.key) LIMIT 32)) part
          ORDER BY part.round, part.hash LIMIT 32) nearby
    WHERE nearby.type <> 0 AND (nearby.expires_at IS NULL OR nearby.expires_at >= now)
    ORDER BY random() LIMIT 1;
    IF NOT FOUND THEN
        SELECT coalesce(k.long_key, k.key) INTO found_key FROM respg.keys k
        WHERE k.space = place AND respg.scan_hash(k.key) >= start AND k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= now)
        ORDER BY respg.scan_hash(k.key) LIMIT 1;
    END IF;
    IF NOT FOUND THEN
        SELECT coalesce(k.long_key, k.key) INTO found_key FROM respg.keys k
        WHERE k.space = place AND respg.scan_hash(k.key) < start AND k.type <> 0 AND (k.expires_at IS NULL OR k.expires_at >= now)
        ORDER BY respg.scan_hash(k.key) LIMIT 1;
    END IF;
    RETURN found_key;
END $$;
