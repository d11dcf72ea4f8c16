-- +goose Up
CREATE TABLE sync_runs (
    id      INTEGER PRIMARY KEY,
    openids BLOB    NOT NULL
);
CREATE INDEX recipients_left ON recipients (openid) WHERE subscribed = 0;
ALTER TABLE recipients DROP COLUMN seen_sync;
-- One that is under way has no runs: it begins anew.
DELETE FROM facts WHERE name = 'sync';

-- +goose Down
ALTER TABLE recipients ADD COLUMN seen_sync BIGINT NOT NULL DEFAULT 0;
DROP INDEX recipients_left;
DROP TABLE sync_runs;
DELETE FROM facts WHERE name = 'sync';
