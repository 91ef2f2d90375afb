-- Settings that belong to the database, not to a process: what one changes (CONFIG SET) holds in all.
CREATE TABLE respg.settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);
