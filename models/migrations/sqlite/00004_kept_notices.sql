-- +goose Up
ALTER TABLE broadcasts ADD COLUMN notice_kept BOOLEAN NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN notice_said TEXT NOT NULL DEFAULT '';
CREATE INDEX broadcasts_kept ON broadcasts (asked_by, id) WHERE notice_kept = 1;
CREATE INDEX broadcasts_notified ON broadcasts (state, notified_state);
-- What ended more than two days ago was given up by the version before: nobody wants to be told of it now.
UPDATE broadcasts SET notified_state = state
WHERE state IN ('finished', 'failed', 'cancelled') AND finished_at < (CAST(strftime('%s', 'now') AS INTEGER) - 2 * 86400) * 1000;

-- +goose Down
DROP INDEX broadcasts_notified;
DROP INDEX broadcasts_kept;
ALTER TABLE broadcasts DROP COLUMN notice_said;
ALTER TABLE broadcasts DROP COLUMN notice_kept;
