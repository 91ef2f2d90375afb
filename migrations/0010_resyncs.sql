-- Processes in shadow mode, and the keys that they are asked to bring over anew (`respg import`, `respg verify --repair`): only they know the order of all writes. Who was asked and
-- who asked live now: a crash of Postgres may empty both tables.
CREATE UNLOGGED TABLE respg.followers (
    process  integer PRIMARY KEY,
    -- Where the Redis is, and which one (INFO's run_id).
    upstream text        NOT NULL,
    run_id   text        NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now()
);

CREATE UNLOGGED TABLE respg.resyncs (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    process    integer     NOT NULL,
    db         integer     NOT NULL,
    keys       bytea[]     NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT now(),
    taken      boolean     NOT NULL DEFAULT false,
    -- For each key what became of it.
    outcomes   text[]
);
