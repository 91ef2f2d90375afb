-- Types of keys that shadow mode has met on the upstream and that respg does not have, since it began to compare all keys: a change of the mode asks for
-- them after a restart, too.
CREATE TABLE respg.unsupported_types (
    name   text        PRIMARY KEY,
    met_at timestamptz NOT NULL DEFAULT now()
);
