-- What the views of shadow mode mean.

COMMENT ON VIEW respg.shadow_status IS 'RESPG.SHADOW STATUS of every process that has a follower: one row for each number.';
COMMENT ON COLUMN respg.shadow_status.process IS 'The process (run_id in INFO server).';
COMMENT ON COLUMN respg.shadow_status.told_at IS 'When the process has told it, once a second: old if it no longer runs.';
COMMENT ON COLUMN respg.shadow_status.name IS 'What is counted, as in INFO shadow.';
COMMENT ON COLUMN respg.shadow_status.value IS 'The number.';

COMMENT ON VIEW respg.shadow_differences IS 'RESPG.SHADOW DIFFS: what the two sides have answered or held differently, in groups.';
COMMENT ON COLUMN respg.shadow_differences.process IS 'The process (run_id in INFO server).';
COMMENT ON COLUMN respg.shadow_differences.told_at IS 'When the process has told it.';
COMMENT ON COLUMN respg.shadow_differences.class IS 'What differed: reply, value, type, expiry ...';
COMMENT ON COLUMN respg.shadow_differences.command IS 'The command after which it was found, or why the keys were compared.';
COMMENT ON COLUMN respg.shadow_differences.pattern IS 'The keys'' common form: * stands for what looks like numbers, identifiers or tokens.';
COMMENT ON COLUMN respg.shadow_differences.count IS 'How often since the process began or RESPG.SHADOW DIFFS RESET.';
COMMENT ON COLUMN respg.shadow_differences.first_seen IS 'When it was found first.';
COMMENT ON COLUMN respg.shadow_differences.last_seen IS 'When it was found last.';
COMMENT ON COLUMN respg.shadow_differences.samples IS 'Some of them (a JSON array of texts), without keys and values.';

COMMENT ON VIEW respg.shadow_census IS 'RESPG.SHADOW REPORT: what clients use and respg does not have.';
COMMENT ON COLUMN respg.shadow_census.process IS 'The process (run_id in INFO server).';
COMMENT ON COLUMN respg.shadow_census.told_at IS 'When the process has told it.';
COMMENT ON COLUMN respg.shadow_census.kind IS 'command or type.';
COMMENT ON COLUMN respg.shadow_census.name IS 'The command''s or the type''s name.';
COMMENT ON COLUMN respg.shadow_census.count IS 'How often the command was passed on, or a key of the type met.';
