-- +goose Up
ALTER TABLE broadcasts
    ADD COLUMN notice_kept BOOLEAN      NOT NULL DEFAULT 0,
    ADD COLUMN notice_said VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    ADD KEY broadcasts_kept (asked_by, notice_kept, notice_said),
    ADD KEY broadcasts_notified (state, notified_state);
-- What ended more than two days ago was given up by the version before: nobody wants to be told of it now.
UPDATE broadcasts SET notified_state = state
WHERE state IN ('finished', 'failed', 'cancelled') AND finished_at < (UNIX_TIMESTAMP() - 2 * 86400) * 1000;

-- +goose Down
ALTER TABLE broadcasts
    DROP KEY broadcasts_notified,
    DROP KEY broadcasts_kept,
    DROP COLUMN notice_said,
    DROP COLUMN notice_kept;
