-- Processes whose listening session is gone, and when they were last known of: such a one may go on without hearing anything, and say so here.
CREATE UNLOGGED TABLE respg.lost_processes (
    process integer     PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);
