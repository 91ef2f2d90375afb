-- The keyspace: one row per key. Everything respg keeps lives in the schema respg.

-- Bumped by whatever changes respg.databases. Every statement on keys reads it, and so holds a share lock on this table until its
-- transaction ends: FLUSHDB, FLUSHALL and SWAPDB take it exclusively and are thereby alone, while nobody else pays for it.
CREATE TABLE respg.keyspace (version bigint NOT NULL);
INSERT INTO respg.keyspace VALUES (1);

-- Which space holds a logical database's keys (SELECT n). FLUSHDB gives the database a fresh space and leaves the old rows to the
-- sweeper; SWAPDB exchanges two numbers. Spaces below zero are in the unlogged table (durability class cache).
CREATE TABLE respg.databases (
    db         integer PRIMARY KEY CHECK (db >= 0),
    space      integer NOT NULL UNIQUE DEFERRABLE,
    durability text NOT NULL DEFAULT 'durable' CHECK (durability IN ('durable', 'relaxed', 'cache')),
    CHECK ((space < 0) = (durability = 'cache'))
);
CREATE SEQUENCE respg.space AS integer;

-- Spaces that belong to no database any more; the sweeper removes their rows.
CREATE TABLE respg.dropped_spaces (
    space      integer PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT now()
);

-- How far the sweeper is in each table, and when the next part is due: all processes share it. Not worth any WAL.
CREATE UNLOGGED TABLE respg.sweep (
    relation   text PRIMARY KEY,
    next_block bigint NOT NULL DEFAULT 0,
    due        timestamptz NOT NULL DEFAULT now()
);

-- Key rows. type: 1 string, 2 list, 3 set, 4 zset, 5 hash, 6 stream; 0 is the placeholder that WATCH leaves for an absent key.
-- key: the key's bytes up to 1023; of longer ones the first 992 and the sha256 of the whole, which then stands in long_key.
-- expires_at: milliseconds since 1970 (UTC); the key lives up to and including that millisecond.
-- object_id: names the elements of a list, set, zset, hash or stream in their tables.
CREATE TABLE respg.keys (
    expires_at bigint,
    object_id  bigint,
    space      integer  NOT NULL,
    type       smallint NOT NULL,
    key        bytea    NOT NULL,
    value      bytea,
    long_key   bytea,
    -- The key first: one comparison less at each step of a look-up, 25 % of its time.
    PRIMARY KEY (key, space)
) PARTITION BY RANGE (space);
-- What applications store is often compressed already, and Redis does not compress either.
ALTER TABLE respg.keys ALTER COLUMN value SET STORAGE EXTERNAL;

-- Rows are overwritten all the time: room on each page keeps updates on it (HOT), and vacuum comes early and often.
CREATE TABLE respg.keys_logged PARTITION OF respg.keys FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.keys_unlogged PARTITION OF respg.keys FOR VALUES FROM (MINVALUE) TO (0)
    WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
ALTER TABLE respg.keys_logged ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE respg.keys_unlogged ALTER COLUMN value SET STORAGE EXTERNAL;

-- SCAN walks keys in the order of this hash: a cursor is a hash, so it fits 64 bits, outlives the process and needs no memory.
CREATE FUNCTION respg.scan_hash(key bytea) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT ('x' || left(md5(key), 12))::bit(48)::bigint $$;
CREATE INDEX keys_scan ON respg.keys (space, respg.scan_hash(key));

-- Client ids are unique over all respg processes: each takes a block of a million.
CREATE SEQUENCE respg.client_id_block INCREMENT BY 1000000 START WITH 1;
