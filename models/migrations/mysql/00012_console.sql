-- +goose Up
-- Who is in the console, by what they hold: only hashes of it are stored.
CREATE TABLE console_links (
    hash       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    openid     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    expires_at BIGINT       NOT NULL,
    used_at    BIGINT       NOT NULL DEFAULT 0
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE console_sessions (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    hash       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    openid     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    language   VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    started_at BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    UNIQUE KEY console_sessions_hash (hash),
    KEY console_sessions_openid (openid)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- What an admin prepared and has not confirmed in the chat yet, or has: taken_by is the chat
-- message that did, so that the same message finds it again.
CREATE TABLE console_confirms (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    openid     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    code_hash  CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    command    MEDIUMTEXT   CHARACTER SET utf8mb4 NOT NULL,
    digest     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    expires_at BIGINT       NOT NULL,
    tries      INT          NOT NULL DEFAULT 0,
    taken_by   VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    KEY console_confirms_openid (openid, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE console_confirms;
DROP TABLE console_sessions;
DROP TABLE console_links;
