-- How far `respg import` has come, per logical database of a Redis: it goes on there after an interruption.
CREATE TABLE respg.imports (
    -- Where the Redis is.
    source  text NOT NULL,
    db      integer NOT NULL,
    -- Of the Redis when it began: SCAN's cursors mean nothing after a restart.
    run_id  text NOT NULL,
    -- Everything before it is copied; NULL: all of this database.
    cursor  text,
    summary text NOT NULL,
    PRIMARY KEY (source, db)
);
