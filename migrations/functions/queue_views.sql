-- Views of streams for clients of SQL. Expired keys are left out, as in respg.live_keys. With db and key given each is a few index look-ups.

CREATE OR REPLACE VIEW respg.live_streams AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text, s.length AS depth, s.entries_added,
           respg.stream_id(f.id) AS first_id, CASE WHEN f.id IS NOT NULL THEN clock_timestamp() - respg.stream_time(f.id) END AS age,
           respg.stream_id(s.last_id) AS last_id, (SELECT count(*) FROM respg.stream_groups g WHERE g.object_id = k.object_id) AS groups,
           (SELECT count(*) FROM respg.stream_scheduled t WHERE t.space = k.space AND t.key = coalesce(k.long_key, k.key)) AS scheduled,
           respg.readable(o.dead_letter) AS dead_letter, o.max_deliveries, o.archive_ms * interval '1 millisecond' AS archive,
           o.max_age_ms * interval '1 millisecond' AS max_age, o.max_length
    FROM respg.databases d
    JOIN respg.keys k ON k.space = d.space AND k.type = 6
    CROSS JOIN LATERAL respg.stream_row(k.object_id) s
    LEFT JOIN LATERAL (SELECT e.id FROM respg.stream_entries e WHERE e.object_id = k.object_id AND e.id >= s.first_id
                       ORDER BY e.id LIMIT 1) f ON true
    LEFT JOIN respg.stream_options o ON o.object_id = k.object_id
    WHERE respg.is_live(k.type, k.expires_at);

CREATE OR REPLACE VIEW respg.live_groups AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text,
           encode(coalesce(g.long_name, g.name), 'escape') AS group_name, s.length AS depth, respg.stream_id(c.last_id) AS last_delivered_id,
           (SELECT count(*) FROM respg.stream_entries e WHERE e.object_id = k.object_id AND e.id > c.last_id AND e.id >= s.first_id) AS lag,
           p.pending, clock_timestamp() - respg.stream_time(p.oldest) AS oldest_pending_age,
           clock_timestamp() - to_timestamp(p.delivered_at / 1000.0) AS longest_idle, p.most_deliveries,
           (SELECT count(*) FROM respg.stream_consumers n WHERE n.object_id = k.object_id AND n.group_id = g.group_id) AS consumers
    FROM respg.databases d
    JOIN respg.keys k ON k.space = d.space AND k.type = 6
    CROSS JOIN LATERAL respg.stream_row(k.object_id) s
    JOIN respg.stream_groups g ON g.object_id = k.object_id
    CROSS JOIN LATERAL (SELECT c.* FROM respg.stream_cursors c WHERE c.object_id = k.object_id AND c.group_id = g.group_id
                        ORDER BY c.version DESC LIMIT 1) c
    CROSS JOIN LATERAL (
        SELECT count(*) AS pending, (array_agg(p.id ORDER BY p.id))[1] AS oldest, min(p.delivered_at) AS delivered_at,
               max(p.deliveries) AS most_deliveries
        FROM respg.stream_pending p WHERE p.object_id = k.object_id AND p.group_id = g.group_id AND p.id >= c.pending_from) p
    WHERE respg.is_live(k.type, k.expires_at);

CREATE OR REPLACE VIEW respg.live_consumers AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text,
           encode(coalesce(g.long_name, g.name), 'escape') AS group_name, encode(coalesce(c.long_name, c.name), 'escape') AS consumer,
           (SELECT count(*) FROM respg.stream_pending p
            WHERE p.object_id = k.object_id AND p.group_id = g.group_id AND p.consumer_id = c.consumer_id) AS pending,
           clock_timestamp() - to_timestamp(a.seen_at / 1000.0) AS idle,
           clock_timestamp() - to_timestamp(a.active_at / 1000.0) AS inactive
    FROM respg.databases d
    JOIN respg.keys k ON k.space = d.space AND k.type = 6
    JOIN respg.stream_groups g ON g.object_id = k.object_id
    JOIN respg.stream_consumers c ON c.object_id = k.object_id AND c.group_id = g.group_id
    LEFT JOIN LATERAL (SELECT a.seen_at, a.active_at FROM respg.stream_activity a
                       WHERE a.object_id = k.object_id AND a.group_id = g.group_id AND a.consumer_id = c.consumer_id
                       ORDER BY a.version DESC LIMIT 1) a ON true
    WHERE respg.is_live(k.type, k.expires_at);

CREATE OR REPLACE VIEW respg.live_pending AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text,
           encode(coalesce(g.long_name, g.name), 'escape') AS group_name, respg.stream_id(p.id) AS id,
           encode(coalesce(c.long_name, c.name), 'escape') AS consumer, p.deliveries,
           clock_timestamp() - to_timestamp(p.delivered_at / 1000.0) AS idle, clock_timestamp() - respg.stream_time(p.id) AS age,
           respg.fields_json(e.fields) AS fields
    FROM respg.databases d
    JOIN respg.keys k ON k.space = d.space AND k.type = 6
    JOIN respg.stream_groups g ON g.object_id = k.object_id
    JOIN respg.stream_pending p ON p.object_id = k.object_id AND p.group_id = g.group_id
    JOIN respg.stream_consumers c ON c.object_id = k.object_id AND c.group_id = g.group_id AND c.consumer_id = p.consumer_id
    LEFT JOIN respg.stream_entries e ON e.object_id = k.object_id AND e.id = p.id
    WHERE respg.is_live(k.type, k.expires_at);

CREATE OR REPLACE VIEW respg.live_entries AS
    SELECT d.db, k.key, encode(coalesce(k.long_key, k.key), 'escape') AS key_text, respg.stream_id(e.id) AS id,
           respg.stream_time(e.id) AS added_at, respg.fields_json(e.fields) AS fields
    FROM respg.databases d
    JOIN respg.keys k ON k.space = d.space AND k.type = 6
    CROSS JOIN LATERAL respg.stream_row(k.object_id) s
    JOIN respg.stream_entries e ON e.object_id = k.object_id AND e.id >= s.first_id
    WHERE respg.is_live(k.type, k.expires_at);

CREATE OR REPLACE VIEW respg.acknowledged AS
    SELECT a.db, a.key, encode(a.key, 'escape') AS key_text, encode(a.group_name, 'escape') AS group_name, encode(a.consumer, 'escape') AS consumer,
           respg.stream_id(a.id) AS id, respg.stream_time(a.id) AS added_at, a.delivered_at, a.acknowledged_at, a.deliveries,
           respg.fields_json(a.fields) AS fields
    FROM respg.stream_archive a;

COMMENT ON VIEW respg.live_streams IS 'Streams as Redis clients see them now, with the options that they have as queues.';
COMMENT ON COLUMN respg.live_streams.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_streams.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.live_streams.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_streams.depth IS 'XLEN: entries in the stream, acknowledged ones included until they are deleted or trimmed.';
COMMENT ON COLUMN respg.live_streams.entries_added IS 'How many entries were ever added.';
COMMENT ON COLUMN respg.live_streams.first_id IS 'The first entry; null: the stream is empty.';
COMMENT ON COLUMN respg.live_streams.age IS 'How long ago the first entry was added.';
COMMENT ON COLUMN respg.live_streams.last_id IS 'The highest id ever.';
COMMENT ON COLUMN respg.live_streams.groups IS 'How many consumer groups it has.';
COMMENT ON COLUMN respg.live_streams.scheduled IS 'Delayed entries and dead letters that are not in the stream yet.';
COMMENT ON COLUMN respg.live_streams.dead_letter IS 'The stream that takes what would be delivered more than max_deliveries times; null: none.';
COMMENT ON COLUMN respg.live_streams.max_deliveries IS 'See dead_letter.';
COMMENT ON COLUMN respg.live_streams.archive IS 'How long acknowledged entries are kept in respg.acknowledged; 0: for ever; null: not at all.';
COMMENT ON COLUMN respg.live_streams.max_age IS 'Retention: older entries are trimmed.';
COMMENT ON COLUMN respg.live_streams.max_length IS 'Retention: more entries are trimmed.';
COMMENT ON VIEW respg.live_groups IS 'Consumer groups: how far they are, and what they have been given and not acknowledged.';
COMMENT ON COLUMN respg.live_groups.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_groups.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.live_groups.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_groups.group_name IS 'The group''s name, for reading as key_text.';
COMMENT ON COLUMN respg.live_groups.depth IS 'Entries in the stream.';
COMMENT ON COLUMN respg.live_groups.last_delivered_id IS 'The last entry that the group was given.';
COMMENT ON COLUMN respg.live_groups.lag IS 'Entries that the group has not been given yet, counted.';
COMMENT ON COLUMN respg.live_groups.pending IS 'Entries that were delivered and are not acknowledged.';
COMMENT ON COLUMN respg.live_groups.oldest_pending_age IS 'How long ago the oldest pending entry was added.';
COMMENT ON COLUMN respg.live_groups.longest_idle IS 'How long ago the pending entry that waits longest was delivered.';
COMMENT ON COLUMN respg.live_groups.most_deliveries IS 'Deliveries of the pending entry that was delivered most often.';
COMMENT ON COLUMN respg.live_groups.consumers IS 'How many consumers the group has.';
COMMENT ON VIEW respg.live_consumers IS 'Consumers of groups.';
COMMENT ON COLUMN respg.live_consumers.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_consumers.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.live_consumers.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_consumers.group_name IS 'The group''s name.';
COMMENT ON COLUMN respg.live_consumers.consumer IS 'The consumer''s name.';
COMMENT ON COLUMN respg.live_consumers.pending IS 'Entries that it was given and has not acknowledged.';
COMMENT ON COLUMN respg.live_consumers.idle IS 'How long ago it last asked.';
COMMENT ON COLUMN respg.live_consumers.inactive IS 'How long ago it was last given something; null: never.';
COMMENT ON VIEW respg.live_pending IS 'Entries that were delivered and are not acknowledged.';
COMMENT ON COLUMN respg.live_pending.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_pending.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.live_pending.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_pending.group_name IS 'The group''s name.';
COMMENT ON COLUMN respg.live_pending.id IS 'The entry''s id.';
COMMENT ON COLUMN respg.live_pending.consumer IS 'Who has it.';
COMMENT ON COLUMN respg.live_pending.deliveries IS 'How often it was delivered.';
COMMENT ON COLUMN respg.live_pending.idle IS 'How long ago it was last delivered.';
COMMENT ON COLUMN respg.live_pending.age IS 'How long ago it was added.';
COMMENT ON COLUMN respg.live_pending.fields IS 'Names and values; null: the entry was deleted.';
COMMENT ON VIEW respg.live_entries IS 'The entries of streams.';
COMMENT ON COLUMN respg.live_entries.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.live_entries.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.live_entries.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.live_entries.id IS 'The entry''s id.';
COMMENT ON COLUMN respg.live_entries.added_at IS 'When it was added, if its id was made by the clock.';
COMMENT ON COLUMN respg.live_entries.fields IS 'Names and values; what is no UTF-8 in hexadecimal digits after \x.';
COMMENT ON VIEW respg.acknowledged IS 'The archive: what was acknowledged in streams with this option, by whom and when.';
COMMENT ON COLUMN respg.acknowledged.db IS 'The logical database (SELECT n).';
COMMENT ON COLUMN respg.acknowledged.key IS 'The key''s bytes, as in respg.live_keys. With db and key given, this view is a few index look-ups.';
COMMENT ON COLUMN respg.acknowledged.key_text IS 'The key for reading: bytes that are no ASCII as \ooo, a backslash doubled.';
COMMENT ON COLUMN respg.acknowledged.group_name IS 'The group''s name.';
COMMENT ON COLUMN respg.acknowledged.consumer IS 'Who had it.';
COMMENT ON COLUMN respg.acknowledged.id IS 'The entry''s id.';
COMMENT ON COLUMN respg.acknowledged.added_at IS 'When it was added.';
COMMENT ON COLUMN respg.acknowledged.delivered_at IS 'When it was last delivered.';
COMMENT ON COLUMN respg.acknowledged.acknowledged_at IS 'When it was acknowledged.';
COMMENT ON COLUMN respg.acknowledged.deliveries IS 'How often it was delivered.';
COMMENT ON COLUMN respg.acknowledged.fields IS 'Names and values; null: the entry had been deleted before.';
