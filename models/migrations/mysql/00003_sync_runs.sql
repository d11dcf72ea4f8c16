-- +goose Up
CREATE TABLE sync_runs (
    id      BIGINT     NOT NULL PRIMARY KEY,
    openids MEDIUMBLOB NOT NULL
) ENGINE = InnoDB;
ALTER TABLE recipients ADD KEY recipients_left (subscribed, openid), DROP COLUMN seen_sync;
-- One that is under way has no runs: it begins anew.
DELETE FROM facts WHERE name = 'sync';

-- +goose Down
ALTER TABLE recipients ADD COLUMN seen_sync BIGINT NOT NULL DEFAULT 0, DROP KEY recipients_left;
DROP TABLE sync_runs;
DELETE FROM facts WHERE name = 'sync';
