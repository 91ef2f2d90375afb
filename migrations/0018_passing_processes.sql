-- Processes that may pass commands on to the upstream: each stands here before it does, and no longer when it has ended properly. One that is killed, or cut off from
-- Postgres, is forgotten when the upstream has been seen without it for some time (src/state/absent.rs).
CREATE TABLE respg.passing_processes (
    process    integer PRIMARY KEY,
    -- The name (CLIENT SETNAME) of its connection to the upstream; none: the upstream does not let it have one.
    connection text,
    -- Its machine and its process id there, for people.
    place      text    NOT NULL,
    -- Its sessions of Postgres hold the advisory lock of this number, shared.
    sessions   integer NOT NULL,
    -- How many times it has been entered.
    entered    bigint  NOT NULL DEFAULT 1
);
