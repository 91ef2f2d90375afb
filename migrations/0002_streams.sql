-- Objects (lists, sets, sorted sets, hashes, streams): a key row names one by its object_id, its elements stand in the tables of its type.
-- Ids below zero belong to the durability class cache and are in unlogged partitions, as spaces below zero are.

-- A block of 1000 ids at a time.
CREATE SEQUENCE respg.object_id INCREMENT BY 1000 START WITH 1;

-- Objects that no key names any more. Whoever takes an object from its key writes it here in the same transaction; the sweeper removes the
-- elements in small batches.
CREATE TABLE respg.dropped_objects (
    object_id bigint PRIMARY KEY,
    type      smallint NOT NULL
);

-- Streams. An id is a uuid: 8 bytes of milliseconds and 8 bytes of sequence number, big-endian, so it sorts as Redis sorts ids
-- (respg.stream_id turns it into text and back).
--
-- The rows of respg.streams, stream_groups and stream_consumers change all the time. Whoever writes one raises its version, which is the end
-- of the primary key, and whoever reads it asks for the highest version. So the latest row is found at once however many dead ones
-- cannot be removed because somebody holds an old snapshot; under a primary key without version a look-up would walk through them all.
-- Changing a stream does not touch its key row: WATCH looks at this version too (respg.object_version).

-- first_id: no entry below it counts (what is trimmed is removed later). last_id: the highest id ever (XSETID may raise it).
-- max_deleted_id, entries_added: as XINFO STREAM shows them.
-- group_count: how many groups it has. last_group: the highest group_id given so far.
-- node, ...: Redis keeps entries in nodes of up to 100 entries and 4 kB and trims with ~ by whole nodes. The number of the node that is
-- written to, its first id, its size in bytes, its entries with and without deleted ones, a digest of its field names.
CREATE TABLE respg.streams (
    object_id      bigint  NOT NULL,
    version        bigint  NOT NULL,
    length         bigint  NOT NULL,
    entries_added  bigint  NOT NULL,
    first_id       uuid    NOT NULL,
    last_id        uuid    NOT NULL,
    max_deleted_id uuid    NOT NULL,
    node_first     uuid    NOT NULL,
    node_fields    bigint  NOT NULL,
    node           integer NOT NULL,
    node_bytes     integer NOT NULL,
    node_entries   integer NOT NULL,
    node_live      integer NOT NULL,
    group_count    integer NOT NULL DEFAULT 0,
    last_group     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (object_id, version)
) PARTITION BY RANGE (object_id);

-- fields: names and values in turn, each as its length (4 bytes, big-endian) and its bytes (respg.pack_fields, respg.unpack_fields).
-- node: the number of the node the entry would be in in Redis.
CREATE TABLE respg.stream_entries (
    object_id bigint  NOT NULL,
    id        uuid    NOT NULL,
    node      integer NOT NULL,
    fields    bytea   NOT NULL,
    PRIMARY KEY (object_id, id)
) PARTITION BY RANGE (object_id);
ALTER TABLE respg.stream_entries ALTER COLUMN fields SET STORAGE EXTERNAL;

-- Entries that were trimmed from a stream, in too great a number for one statement: from first_id up to but not including end_id.
CREATE TABLE respg.stream_trims (
    object_id bigint NOT NULL,
    first_id  uuid   NOT NULL,
    end_id    uuid   NOT NULL,
    PRIMARY KEY (object_id, first_id)
);

-- Consumer groups. last_id: the last entry delivered. entries_read: as XINFO shows it, null if it cannot be known. pending: how many entries are
-- pending, none of them below pending_from. last_consumer: the highest consumer_id given so far. name: of a name longer than 1023 bytes
-- what respg.stored_key makes of it, and the whole in long_name.
CREATE TABLE respg.stream_groups (
    object_id     bigint  NOT NULL,
    version       bigint  NOT NULL,
    last_id       uuid    NOT NULL,
    pending_from  uuid    NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    entries_read  bigint,
    pending       bigint  NOT NULL DEFAULT 0,
    group_id      integer NOT NULL,
    last_consumer integer NOT NULL DEFAULT 0,
    name          bytea   NOT NULL,
    long_name     bytea,
    PRIMARY KEY (object_id, name, version)
) PARTITION BY RANGE (object_id);

-- Consumers. seen_at, active_at: milliseconds since 1970; active_at is null until it has been given something.
CREATE TABLE respg.stream_consumers (
    object_id    bigint  NOT NULL,
    version      bigint  NOT NULL,
    seen_at      bigint  NOT NULL,
    active_at    bigint,
    pending_from uuid    NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    pending      bigint  NOT NULL DEFAULT 0,
    group_id     integer NOT NULL,
    consumer_id  integer NOT NULL,
    name         bytea   NOT NULL,
    long_name    bytea,
    PRIMARY KEY (object_id, group_id, name, version)
) PARTITION BY RANGE (object_id);

-- Entries that were delivered and are not acknowledged. delivered_at: milliseconds since 1970.
CREATE TABLE respg.stream_pending (
    object_id    bigint  NOT NULL,
    id           uuid    NOT NULL,
    delivered_at bigint  NOT NULL,
    deliveries   bigint  NOT NULL,
    group_id     integer NOT NULL,
    consumer_id  integer NOT NULL,
    PRIMARY KEY (object_id, group_id, id)
) PARTITION BY RANGE (object_id);

CREATE TABLE respg.streams_logged PARTITION OF respg.streams FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.streams_unlogged PARTITION OF respg.streams FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE TABLE respg.stream_entries_logged PARTITION OF respg.stream_entries FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_entries_unlogged PARTITION OF respg.stream_entries FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
ALTER TABLE respg.stream_entries_logged ALTER COLUMN fields SET STORAGE EXTERNAL;
ALTER TABLE respg.stream_entries_unlogged ALTER COLUMN fields SET STORAGE EXTERNAL;
CREATE TABLE respg.stream_groups_logged PARTITION OF respg.stream_groups FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_groups_unlogged PARTITION OF respg.stream_groups FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE TABLE respg.stream_consumers_logged PARTITION OF respg.stream_consumers FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_consumers_unlogged PARTITION OF respg.stream_consumers FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE TABLE respg.stream_pending_logged PARTITION OF respg.stream_pending FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_pending_unlogged PARTITION OF respg.stream_pending FOR VALUES FROM (MINVALUE) TO (0)
    WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
