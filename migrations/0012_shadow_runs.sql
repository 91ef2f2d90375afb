-- Processes that follow, or have ended while something was left to be done: for these there is a file of dirty slots, and if there is none, it was lost.
CREATE TABLE respg.shadow_runs (
    -- The machine and the folder.
    name     text        PRIMARY KEY,
    process  integer     NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now()
);
