-- Keys that clients of SQL, and respg's own tending of queues, have written while the mode is reverse. A process brings them over to the Redis that follows.
CREATE TABLE respg.changed_keys (
    id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    db  integer NOT NULL,
    -- Null: whole databases.
    key bytea
);
