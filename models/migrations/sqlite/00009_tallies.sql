-- +goose Up
-- What is kept of the deliveries of a broadcast that ended long ago: how many there were of
-- each sort, and when the sends began. tallied_at is when that was stored, before the first
-- delivery was deleted; emptied says that all of them are.
CREATE TABLE tallies (
    broadcast_id BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    errcode      INT    NOT NULL,
    detail       TEXT   NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, seq)
) WITHOUT ROWID;
CREATE TABLE tallied_sends (
    broadcast_id BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, at)
) WITHOUT ROWID;
ALTER TABLE broadcasts ADD COLUMN tallied_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN price_left BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN price_opted_out BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN emptied BOOLEAN NOT NULL DEFAULT 0;
CREATE INDEX broadcasts_emptied ON broadcasts (emptied, finished_at);

-- A process of an older version that still runs would take all whose deliveries were deleted
-- for people who were never tried. It can store no broadcast any more, since it has another
-- name for this.
ALTER TABLE broadcasts RENAME COLUMN any_hour TO at_any_hour;

-- +goose Down
-- For the same reason these broadcasts must not be known to an older version.
DELETE FROM broadcasts WHERE tallied_at > 0;
ALTER TABLE broadcasts RENAME COLUMN at_any_hour TO any_hour;
DROP INDEX broadcasts_emptied;
ALTER TABLE broadcasts DROP COLUMN emptied;
ALTER TABLE broadcasts DROP COLUMN price_opted_out;
ALTER TABLE broadcasts DROP COLUMN price_left;
ALTER TABLE broadcasts DROP COLUMN tallied_at;
DROP TABLE tallied_sends;
DROP TABLE tallies;
