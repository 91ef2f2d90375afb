-- Consumer groups, again: who is called what (rows that never change) apart from what changes with every read (versioned rows, of which the highest
-- version counts). So groups and consumers can be listed, and names found for numbers, without a walk through the dead versions that
-- a held snapshot keeps. How many entries are pending is counted when somebody asks.
DROP TABLE respg.stream_groups, respg.stream_consumers;

-- Groups by name. name: of a name longer than 1023 bytes what respg.stored_key makes of it, and the whole in long_name.
-- group_id: never given twice within a stream (respg.streams.last_group).
CREATE TABLE respg.stream_groups (
    object_id bigint  NOT NULL,
    group_id  integer NOT NULL,
    name      bytea   NOT NULL,
    long_name bytea,
    PRIMARY KEY (object_id, name)
) PARTITION BY RANGE (object_id);

-- Where a group is. last_id: the last entry delivered. entries_read: as XINFO GROUPS shows it, null if it cannot be known. pending_from: no entry
-- below it is pending. last_consumer: the highest consumer_id given so far.
CREATE TABLE respg.stream_cursors (
    object_id     bigint  NOT NULL,
    version       bigint  NOT NULL,
    last_id       uuid    NOT NULL,
    pending_from  uuid    NOT NULL,
    entries_read  bigint,
    group_id      integer NOT NULL,
    last_consumer integer NOT NULL DEFAULT 0,
    PRIMARY KEY (object_id, group_id, version)
) PARTITION BY RANGE (object_id);

-- Consumers by name, and by number.
CREATE TABLE respg.stream_consumers (
    object_id   bigint  NOT NULL,
    group_id    integer NOT NULL,
    consumer_id integer NOT NULL,
    name        bytea   NOT NULL,
    long_name   bytea,
    PRIMARY KEY (object_id, group_id, name),
    UNIQUE (object_id, group_id, consumer_id)
) PARTITION BY RANGE (object_id);

-- When a consumer last tried to read (seen_at), and last got something (active_at, null: never), in milliseconds since 1970.
CREATE TABLE respg.stream_activity (
    object_id   bigint  NOT NULL,
    version     bigint  NOT NULL,
    seen_at     bigint  NOT NULL,
    active_at   bigint,
    group_id    integer NOT NULL,
    consumer_id integer NOT NULL,
    PRIMARY KEY (object_id, group_id, consumer_id, version)
) PARTITION BY RANGE (object_id);

-- Groups that were destroyed: the sweeper removes what was pending in them.
CREATE TABLE respg.dropped_groups (
    object_id bigint  NOT NULL,
    group_id  integer NOT NULL,
    PRIMARY KEY (object_id, group_id)
);

CREATE TABLE respg.stream_groups_logged PARTITION OF respg.stream_groups FOR VALUES FROM (0) TO (MAXVALUE);
CREATE UNLOGGED TABLE respg.stream_groups_unlogged PARTITION OF respg.stream_groups FOR VALUES FROM (MINVALUE) TO (0);
CREATE TABLE respg.stream_consumers_logged PARTITION OF respg.stream_consumers FOR VALUES FROM (0) TO (MAXVALUE);
CREATE UNLOGGED TABLE respg.stream_consumers_unlogged PARTITION OF respg.stream_consumers FOR VALUES FROM (MINVALUE) TO (0);
CREATE TABLE respg.stream_cursors_logged PARTITION OF respg.stream_cursors FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_cursors_unlogged PARTITION OF respg.stream_cursors FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE TABLE respg.stream_activity_logged PARTITION OF respg.stream_activity FOR VALUES FROM (0) TO (MAXVALUE)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE UNLOGGED TABLE respg.stream_activity_unlogged PARTITION OF respg.stream_activity FOR VALUES FROM (MINVALUE) TO (0)
    WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
