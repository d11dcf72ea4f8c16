-- +goose Up
-- Requests of the HTTP API by their keys, so that the same one again gets the same answer.
-- status is 0 until there is one.
CREATE TABLE api_requests (
    token_id    BIGINT NOT NULL,
    key_hash    TEXT   NOT NULL COLLATE BINARY,
    body_digest TEXT   NOT NULL,
    status      INT    NOT NULL DEFAULT 0,
    response    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (token_id, key_hash)
) WITHOUT ROWID;
CREATE INDEX api_requests_created ON api_requests (created_at);

-- With the API there may be thousands of broadcasts of one message; those that ended lately
-- are looked for with each.
DROP INDEX broadcasts_digest;
CREATE INDEX broadcasts_digest ON broadcasts (digest, finished_at);

-- +goose Down
DROP INDEX broadcasts_digest;
CREATE INDEX broadcasts_digest ON broadcasts (digest, asked_at);
DROP TABLE api_requests;
