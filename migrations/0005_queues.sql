-- What queues have beyond Redis. Streams without options pay nothing for it.

-- Which options the server must know of when it works on a stream: 1 dead letters, 2 archive.
ALTER TABLE respg.streams ADD COLUMN options smallint NOT NULL DEFAULT 0;

-- Options of a stream (RESPG.STREAM SET, respg.set_stream_options); no row: none. They go with the stream when it is renamed, and end with it.
CREATE TABLE respg.stream_options (
    object_id      bigint PRIMARY KEY,
    -- Where the stream was when somebody last looked: key as in respg.keys.
    space          integer NOT NULL,
    key            bytea   NOT NULL,
    -- Key of the stream, in the same database, that takes what would be delivered once more after so many deliveries.
    dead_letter    bytea,
    max_deliveries bigint CHECK (max_deliveries > 0),
    -- For how many milliseconds acknowledged entries are kept in respg.stream_archive; 0: for ever; null: not at all.
    archive_ms     bigint CHECK (archive_ms >= 0),
    -- Retention: milliseconds, entries.
    max_age_ms     bigint CHECK (max_age_ms > 0),
    max_length     bigint CHECK (max_length >= 0),
    CHECK ((dead_letter IS NULL) = (max_deliveries IS NULL))
);

-- Entries on their way into a stream: delayed ones, and dead letters. fields as in respg.stream_entries; key is the whole key.
CREATE TABLE respg.stream_scheduled (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    due_at timestamptz NOT NULL,
    space  integer     NOT NULL,
    key    bytea       NOT NULL,
    fields bytea       NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
CREATE INDEX stream_scheduled_due ON respg.stream_scheduled (due_at, number);

-- Acknowledged entries of streams with the option. keep_until: null for ever. fields: null if the entry had been deleted. key, group_name and
-- consumer: of names longer than 1023 bytes what respg.stored_key makes of them.
CREATE TABLE respg.stream_archive (
    acknowledged_at timestamptz NOT NULL,
    delivered_at    timestamptz NOT NULL,
    keep_until      timestamptz,
    deliveries      bigint  NOT NULL,
    db              integer NOT NULL,
    id              uuid    NOT NULL,
    key             bytea   NOT NULL,
    group_name      bytea   NOT NULL,
    consumer        bytea   NOT NULL,
    fields          bytea
);
CREATE INDEX stream_archive_key ON respg.stream_archive (db, key, acknowledged_at);
CREATE INDEX stream_archive_end ON respg.stream_archive (keep_until) WHERE keep_until IS NOT NULL;
