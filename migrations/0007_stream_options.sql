-- The server reads a stream's options with its row: how often an entry is delivered before it goes to the dead-letter stream (0: as often
-- as somebody wants it), and whether acknowledged entries are archived.
ALTER TABLE respg.streams
    ADD COLUMN max_deliveries bigint NOT NULL DEFAULT 0,
    ADD COLUMN archive boolean NOT NULL DEFAULT false;
UPDATE respg.streams s
SET max_deliveries = coalesce(o.max_deliveries, 0), archive = o.archive_ms IS NOT NULL
FROM respg.stream_options o WHERE o.object_id = s.object_id;
ALTER TABLE respg.streams DROP COLUMN options;
DROP FUNCTION IF EXISTS respg.archive_entries, respg.bury_entries, respg.is_gapless, respg.entries_read_at;
