-- +goose Up
-- Requests of the HTTP API by their keys, so that the same one again gets the same answer.
-- status is 0 until there is one.
CREATE TABLE api_requests (
    token_id    BIGINT     NOT NULL,
    key_hash    CHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body_digest CHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    status      INT        NOT NULL DEFAULT 0,
    response    MEDIUMTEXT NOT NULL,
    created_at  BIGINT     NOT NULL,
    PRIMARY KEY (token_id, key_hash),
    KEY api_requests_created (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- With the API there may be thousands of broadcasts of one message; those that ended lately
-- are looked for with each.
ALTER TABLE broadcasts
    DROP KEY broadcasts_digest,
    ADD KEY broadcasts_digest (digest, finished_at);

-- +goose Down
ALTER TABLE broadcasts
    DROP KEY broadcasts_digest,
    ADD KEY broadcasts_digest (digest, asked_at);
DROP TABLE api_requests;
