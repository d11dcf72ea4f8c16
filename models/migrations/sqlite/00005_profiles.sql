-- +goose Up
ALTER TABLE recipients ADD COLUMN remark TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN profiled_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE recipients DROP COLUMN profiled_at;
ALTER TABLE recipients DROP COLUMN remark;
