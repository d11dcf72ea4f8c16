-- +goose Up
ALTER TABLE batches
    ADD COLUMN owner       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    ADD COLUMN lease_until BIGINT      NOT NULL DEFAULT 0,
    ADD COLUMN takes       BIGINT      NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE batches
    DROP COLUMN takes,
    DROP COLUMN lease_until,
    DROP COLUMN owner;
