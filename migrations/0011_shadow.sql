-- What processes in shadow or reverse mode tell of themselves, once a second. A crash may empty it.
CREATE UNLOGGED TABLE respg.shadow_reports (
    process           text PRIMARY KEY,
    told_at           timestamptz NOT NULL,
    status            jsonb NOT NULL,
    differences       jsonb NOT NULL,
    foreign_commands  jsonb NOT NULL,
    unsupported_types jsonb NOT NULL
) WITH (fillfactor = 50);

CREATE VIEW respg.shadow_status AS
    SELECT r.process, r.told_at, s.key AS name, s.value::bigint AS value
    FROM respg.shadow_reports r CROSS JOIN LATERAL jsonb_each_text(r.status) s;

CREATE VIEW respg.shadow_differences AS
    SELECT r.process, r.told_at, d ->> 'class' AS class, d ->> 'command' AS command, d ->> 'pattern' AS pattern, (d ->> 'count')::bigint AS count,
           to_timestamp((d ->> 'first_seen')::bigint) AS first_seen, to_timestamp((d ->> 'last_seen')::bigint) AS last_seen, d -> 'samples' AS samples
    FROM respg.shadow_reports r CROSS JOIN LATERAL jsonb_array_elements(r.differences) d;

CREATE VIEW respg.shadow_census AS
    SELECT r.process, r.told_at, 'command' AS kind, c.key AS name, c.value::bigint AS count
    FROM respg.shadow_reports r CROSS JOIN LATERAL jsonb_each_text(r.foreign_commands) c
    UNION ALL
    SELECT r.process, r.told_at, 'type', t.key, t.value::bigint
    FROM respg.shadow_reports r CROSS JOIN LATERAL jsonb_each_text(r.unsupported_types) t;
