-- +goose Up
-- A broadcast may be for some of the recipients of an earlier one in more ways than a retry.
DROP INDEX broadcasts_retry_of;
ALTER TABLE broadcasts RENAME COLUMN retry_of TO of_id;
CREATE INDEX broadcasts_of_id ON broadcasts (of_id);
ALTER TABLE broadcasts ADD COLUMN planned_start BIGINT NOT NULL DEFAULT 0;

-- A process of an older version that still runs knows nothing of these audiences, and would
-- take each for everyone. It can lease no batch any more, since it has another name for this.
ALTER TABLE batches RENAME COLUMN takes TO leases;

ALTER TABLE recipients ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN opted_out_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE recipients ADD COLUMN left_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE recipients ADD COLUMN heard TEXT NOT NULL DEFAULT '';
ALTER TABLE recipients ADD COLUMN heard_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX recipients_opted_out_at ON recipients (opted_out_at) WHERE opted_out_at > 0;
CREATE INDEX recipients_left_at ON recipients (left_at) WHERE left_at > 0;
CREATE INDEX recipients_name ON recipients (name) WHERE name <> '';

CREATE TABLE messages (
    folded     TEXT   NOT NULL PRIMARY KEY COLLATE BINARY,
    name       TEXT   NOT NULL,
    content    TEXT   NOT NULL,
    changed_by TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE replies (
    folded     TEXT   NOT NULL PRIMARY KEY COLLATE BINARY,
    word       TEXT   NOT NULL,
    text       TEXT   NOT NULL,
    changed_by TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE admins (
    openid   TEXT   NOT NULL PRIMARY KEY COLLATE BINARY,
    role     TEXT   NOT NULL,
    added_by TEXT   NOT NULL,
    added_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          BIGINT NOT NULL,
    admin       TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    target      TEXT   NOT NULL DEFAULT '',
    detail      TEXT   NOT NULL DEFAULT '',
    message_key TEXT   NOT NULL
);
CREATE UNIQUE INDEX audit_message ON audit (message_key);

-- A notice may be for several admins.
CREATE TABLE notices (
    openid       TEXT   NOT NULL COLLATE BINARY,
    broadcast_id BIGINT NOT NULL,
    said         TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (openid, broadcast_id)
) WITHOUT ROWID;
INSERT INTO notices (openid, broadcast_id, said) SELECT asked_by, id, notice_said FROM broadcasts WHERE notice_kept = 1;
DROP INDEX broadcasts_kept;
ALTER TABLE broadcasts DROP COLUMN notice_said;
ALTER TABLE broadcasts DROP COLUMN notice_kept;

-- +goose Down
ALTER TABLE broadcasts ADD COLUMN notice_kept BOOLEAN NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN notice_said TEXT NOT NULL DEFAULT '';
CREATE INDEX broadcasts_kept ON broadcasts (asked_by, id) WHERE notice_kept = 1;
UPDATE broadcasts SET notice_kept = 1, notice_said = (SELECT said FROM notices n WHERE n.broadcast_id = broadcasts.id AND n.openid = asked_by)
WHERE EXISTS (SELECT 1 FROM notices n WHERE n.broadcast_id = broadcasts.id AND n.openid = asked_by);
DROP TABLE notices;
DROP TABLE audit;
DROP TABLE admins;
DROP TABLE replies;
DROP TABLE messages;
DROP INDEX recipients_name;
DROP INDEX recipients_left_at;
DROP INDEX recipients_opted_out_at;
ALTER TABLE recipients DROP COLUMN heard_at;
ALTER TABLE recipients DROP COLUMN heard;
ALTER TABLE recipients DROP COLUMN left_at;
ALTER TABLE recipients DROP COLUMN opted_out_at;
ALTER TABLE recipients DROP COLUMN name;
ALTER TABLE batches RENAME COLUMN leases TO takes;
ALTER TABLE broadcasts DROP COLUMN planned_start;
DROP INDEX broadcasts_of_id;
ALTER TABLE broadcasts RENAME COLUMN of_id TO retry_of;
CREATE INDEX broadcasts_retry_of ON broadcasts (retry_of);
