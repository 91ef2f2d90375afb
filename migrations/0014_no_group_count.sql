-- Nothing ever counted a stream's groups here: they are found in respg.stream_groups.
ALTER TABLE respg.streams DROP COLUMN group_count, DROP COLUMN last_group;
