-- +goose Up
-- The tokens of the HTTP API. hash is the SHA-256 of the secret, which is nowhere. A number is
-- never given twice: the requests of a token are known by it.
CREATE TABLE tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT   NOT NULL COLLATE BINARY,
    scope        TEXT   NOT NULL,
    hash         TEXT   NOT NULL COLLATE BINARY,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX tokens_name ON tokens (name);
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);

-- +goose Down
DROP TABLE tokens;
