-- +goose Up
-- The tokens of the HTTP API. hash is the SHA-256 of the secret, which is nowhere. A number is
-- never given twice: the requests of a token are known by it.
CREATE TABLE tokens (
    id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name         VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    scope        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    hash         CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at   BIGINT       NOT NULL,
    last_used_at BIGINT       NOT NULL DEFAULT 0,
    UNIQUE KEY tokens_name (name),
    UNIQUE KEY tokens_hash (hash)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE tokens;
