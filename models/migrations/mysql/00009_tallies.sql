-- +goose Up
-- What is kept of the deliveries of a broadcast that ended long ago: how many there were of
-- each sort, and when the sends began. tallied_at is when that was stored, before the first
-- delivery was deleted; emptied says that all of them are.
CREATE TABLE tallies (
    broadcast_id BIGINT       NOT NULL,
    seq          BIGINT       NOT NULL,
    state        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    errcode      INT          NOT NULL,
    detail       VARCHAR(255) NOT NULL,
    n            BIGINT       NOT NULL,
    PRIMARY KEY (broadcast_id, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE tallied_sends (
    broadcast_id BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- A process of an older version that still runs would take all whose deliveries were deleted
-- for people who were never tried. It can store no broadcast any more, since it has another
-- name for any_hour.
ALTER TABLE broadcasts
    ADD COLUMN tallied_at      BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN price_left      BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN price_opted_out BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN emptied         BOOLEAN NOT NULL DEFAULT 0,
    ADD KEY broadcasts_emptied (emptied, finished_at),
    CHANGE COLUMN any_hour at_any_hour BOOLEAN NOT NULL DEFAULT 0;

-- +goose Down
-- For the same reason these broadcasts must not be known to an older version.
DELETE FROM broadcasts WHERE tallied_at > 0;
ALTER TABLE broadcasts
    CHANGE COLUMN at_any_hour any_hour BOOLEAN NOT NULL DEFAULT 0,
    DROP KEY broadcasts_emptied,
    DROP COLUMN emptied,
    DROP COLUMN price_opted_out,
    DROP COLUMN price_left,
    DROP COLUMN tallied_at;
DROP TABLE tallied_sends;
DROP TABLE tallies;
