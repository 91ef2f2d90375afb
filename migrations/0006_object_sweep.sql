-- How far the sweeper is in an object: up to there its first table is clean, so that it need not walk what it has deleted already.
ALTER TABLE respg.dropped_objects ADD COLUMN progress uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
