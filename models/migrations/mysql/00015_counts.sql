-- +goose Up
-- How many deliveries of a broadcast there are of each sort, and how many of its sends began
-- in each second: of its batches that are done, and as receipts changed them. counted in a row
-- of broadcasts says what of it is in there (see models/kept.go), in a row of batches that its
-- deliveries are.
CREATE TABLE outcome_counts (
    broadcast_id BIGINT       NOT NULL,
    state        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    errcode      INT          NOT NULL,
    detail       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    n            BIGINT       NOT NULL,
    PRIMARY KEY (broadcast_id, state, errcode, detail)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE send_counts (
    broadcast_id BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    n            BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
ALTER TABLE broadcasts ADD COLUMN counted BIGINT NOT NULL DEFAULT 0;
-- Apart from the key, so that the column alone is there at once.
ALTER TABLE batches ADD COLUMN counted INT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD KEY batches_uncounted (broadcast_id, counted, times_leased);

-- Until then a process of an older version may still be there, which counts nothing.
INSERT INTO facts (name, value)
    SELECT 'counts_from', CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) + 3600000 FROM DUAL
    WHERE EXISTS (SELECT 1 FROM broadcasts);

-- +goose Down
DELETE FROM facts WHERE name = 'counts_from';
ALTER TABLE batches DROP KEY batches_uncounted;
ALTER TABLE batches DROP COLUMN counted;
ALTER TABLE broadcasts DROP COLUMN counted;
DROP TABLE send_counts;
DROP TABLE outcome_counts;
