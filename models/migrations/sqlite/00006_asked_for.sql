-- +goose Up
-- How many recipients a broadcast had when it was asked for or planned: who left before their turn is no recipient in the end.
ALTER TABLE broadcasts ADD COLUMN asked_for BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE broadcasts DROP COLUMN asked_for;
