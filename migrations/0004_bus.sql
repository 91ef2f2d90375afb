-- What the bus (src/store/bus) needs besides NOTIFY. All of it is about processes and clients that are connected now: a crash of
-- Postgres may empty it, for then nobody is connected.

-- Each respg process takes a number at its start.
CREATE SEQUENCE respg.process_id AS integer;

-- The processes that listen. A process is alive as long as its listening session holds the advisory lock of its number.
CREATE UNLOGGED TABLE respg.processes (
    process    integer PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- How many clients of a process have subscribed to what. kind: c channel, p pattern, s sharded channel.
CREATE UNLOGGED TABLE respg.subscriptions (
    process integer NOT NULL,
    clients integer NOT NULL,
    kind    text    NOT NULL,
    -- Names may be longer than an index entry.
    digest  bytea   NOT NULL,
    name    bytea   NOT NULL,
    PRIMARY KEY (process, kind, digest)
);

-- Messages that do not fit a notification, for a minute. id is the process's number and its own count of such messages;
-- those of SQL's functions have numbers of process 0.
CREATE SEQUENCE respg.message_id;
CREATE UNLOGGED TABLE respg.messages (
    id         bigint      PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    kind       text        NOT NULL,
    number     bigint      NOT NULL,
    name       bytea       NOT NULL,
    body       bytea       NOT NULL
);
ALTER TABLE respg.messages ALTER COLUMN body SET STORAGE EXTERNAL;
