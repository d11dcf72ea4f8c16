-- +goose Up
-- Who is in the console, by what they hold: only hashes of it are stored.
CREATE TABLE console_links (
    hash       TEXT   NOT NULL PRIMARY KEY,
    openid     TEXT   NOT NULL COLLATE BINARY,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE console_sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       TEXT   NOT NULL,
    openid     TEXT   NOT NULL COLLATE BINARY,
    language   TEXT   NOT NULL DEFAULT '',
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX console_sessions_hash ON console_sessions (hash);
CREATE INDEX console_sessions_openid ON console_sessions (openid);

-- What an admin prepared and has not confirmed in the chat yet, or has: taken_by is the chat
-- message that did, so that the same message finds it again.
CREATE TABLE console_confirms (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    openid     TEXT   NOT NULL COLLATE BINARY,
    code_hash  TEXT   NOT NULL,
    command    TEXT   NOT NULL,
    digest     TEXT   NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL,
    tries      INT    NOT NULL DEFAULT 0,
    taken_by   TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX console_confirms_openid ON console_confirms (openid, id);

-- +goose Down
DROP TABLE console_confirms;
DROP TABLE console_sessions;
DROP TABLE console_links;
