-- +goose Up
-- How many deliveries of a broadcast there are of each sort, and how many of its sends began
-- in each second: of its batches that are done, and as receipts changed them. counted in a row
-- of broadcasts says what of it is in there (see models/kept.go), in a row of batches that its
-- deliveries are.
CREATE TABLE outcome_counts (
    broadcast_id BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    errcode      INT    NOT NULL,
    detail       TEXT   NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, state, errcode, detail)
) WITHOUT ROWID;
CREATE TABLE send_counts (
    broadcast_id BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, at)
) WITHOUT ROWID;
ALTER TABLE broadcasts ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN counted INT NOT NULL DEFAULT 0;
CREATE INDEX batches_uncounted ON batches (broadcast_id) WHERE counted = 0 AND times_leased > 0;

-- Until then a process of an older version may still be there, which counts nothing.
INSERT INTO facts (name, value)
    SELECT 'counts_from', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) + 3600000
    WHERE EXISTS (SELECT 1 FROM broadcasts);

-- +goose Down
DELETE FROM facts WHERE name = 'counts_from';
DROP INDEX batches_uncounted;
ALTER TABLE batches DROP COLUMN counted;
ALTER TABLE broadcasts DROP COLUMN counted;
DROP TABLE send_counts;
DROP TABLE outcome_counts;
