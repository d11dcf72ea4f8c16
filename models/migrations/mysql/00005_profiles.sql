-- +goose Up
ALTER TABLE recipients
    ADD COLUMN remark      VARCHAR(255) NOT NULL DEFAULT '',
    ADD COLUMN profiled_at BIGINT       NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE recipients
    DROP COLUMN profiled_at,
    DROP COLUMN remark;
