-- +goose Up
-- A process of an older version that still runs knows nothing of these audiences and their
-- guards. It can plan no broadcast and lease no batch any more, since it has other names
-- for these columns.
ALTER TABLE broadcasts RENAME COLUMN max_recipient_id TO through_id;
ALTER TABLE batches RENAME COLUMN leases TO lease_count;

ALTER TABLE broadcasts ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE broadcasts ADD COLUMN through_consent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN approvals INT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN pending_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN any_hour BOOLEAN NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN canary BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN canary_segment BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN canary_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts ADD COLUMN intercepted BIGINT NOT NULL DEFAULT -1;
CREATE INDEX broadcasts_finished ON broadcasts (finished_at);
ALTER TABLE batches ADD COLUMN segment_id BIGINT NOT NULL DEFAULT 0;

-- A stranger is on a list and was never known to follow.
ALTER TABLE recipients ADD COLUMN stranger BOOLEAN NOT NULL DEFAULT 0;
ALTER TABLE recipients ADD COLUMN blacklisted BOOLEAN NOT NULL DEFAULT 0;
DROP INDEX recipients_reachable;
CREATE INDEX recipients_reachable ON recipients (subscribed, opted_out, blacklisted, id);
CREATE INDEX recipients_blacklisted ON recipients (id) WHERE blacklisted = 1;
CREATE INDEX recipients_stranger ON recipients (id) WHERE stranger = 1;

CREATE TABLE topics (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    folded      TEXT   NOT NULL COLLATE BINARY,
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL DEFAULT '',
    added_by    TEXT   NOT NULL,
    added_at    BIGINT NOT NULL,
    removed_at  BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX topics_folded ON topics (folded);

-- What people said, in order. topic_id is 0 for everything: stop and start.
CREATE TABLE consents (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id     BIGINT  NOT NULL,
    recipient_id BIGINT  NOT NULL,
    joined       BOOLEAN NOT NULL,
    at           BIGINT  NOT NULL,
    via          TEXT    NOT NULL,
    text         TEXT    NOT NULL DEFAULT '',
    message_key  TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX consents_person ON consents (topic_id, recipient_id, id);

-- Those who opted out before. When is not known of all of them.
INSERT INTO consents (topic_id, recipient_id, joined, at, via)
SELECT 0, id, 0, opted_out_at, 'before' FROM recipients WHERE opted_out = 1 ORDER BY opted_out_at, id;

-- Who is in a topic: the last of each person's consents to it.
CREATE TABLE memberships (
    topic_id     BIGINT  NOT NULL,
    recipient_id BIGINT  NOT NULL,
    joined       BOOLEAN NOT NULL,
    consent_id   BIGINT  NOT NULL,
    PRIMARY KEY (topic_id, recipient_id)
) WITHOUT ROWID;

-- People who were put together once: a version of a list, a tag as it was pulled, the
-- recipients of a canary. Nobody is added later.
CREATE TABLE segments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    size       BIGINT  NOT NULL DEFAULT 0,
    fields     TEXT    NOT NULL DEFAULT '',
    used       BOOLEAN NOT NULL DEFAULT 0,
    made_by    TEXT    NOT NULL DEFAULT '',
    made_at    BIGINT  NOT NULL DEFAULT 0
);
CREATE TABLE members (
    segment_id   BIGINT NOT NULL,
    recipient_id BIGINT NOT NULL,
    fields       TEXT   NOT NULL DEFAULT '',
    PRIMARY KEY (segment_id, recipient_id)
) WITHOUT ROWID;

CREATE TABLE lists (
    folded     TEXT   NOT NULL PRIMARY KEY COLLATE BINARY,
    name       TEXT   NOT NULL,
    segment_id BIGINT NOT NULL,
    changed_by TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE approvals (
    broadcast_id BIGINT NOT NULL,
    openid       TEXT   NOT NULL COLLATE BINARY,
    at           BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, openid)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE approvals;
DROP TABLE lists;
DROP TABLE members;
DROP TABLE segments;
DROP TABLE memberships;
DROP TABLE consents;
DROP TABLE topics;
DROP INDEX recipients_stranger;
DROP INDEX recipients_blacklisted;
DROP INDEX recipients_reachable;
CREATE INDEX recipients_reachable ON recipients (subscribed, opted_out, id);
ALTER TABLE recipients DROP COLUMN blacklisted;
ALTER TABLE recipients DROP COLUMN stranger;
ALTER TABLE batches DROP COLUMN segment_id;
DROP INDEX broadcasts_finished;
ALTER TABLE broadcasts DROP COLUMN intercepted;
ALTER TABLE broadcasts DROP COLUMN canary_at;
ALTER TABLE broadcasts DROP COLUMN canary_segment;
ALTER TABLE broadcasts DROP COLUMN canary;
ALTER TABLE broadcasts DROP COLUMN any_hour;
ALTER TABLE broadcasts DROP COLUMN pending_since;
ALTER TABLE broadcasts DROP COLUMN approvals;
ALTER TABLE broadcasts DROP COLUMN through_consent;
ALTER TABLE broadcasts DROP COLUMN target;
ALTER TABLE batches RENAME COLUMN lease_count TO leases;
ALTER TABLE broadcasts RENAME COLUMN through_id TO max_recipient_id;
