-- +goose Up
CREATE TABLE recipients (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    openid        TEXT    NOT NULL COLLATE BINARY,
    subscribed    BOOLEAN NOT NULL DEFAULT 1,
    opted_out     BOOLEAN NOT NULL DEFAULT 0,
    tester        BOOLEAN NOT NULL DEFAULT 0,
    subscribed_at BIGINT  NOT NULL DEFAULT 0,
    scene         TEXT    NOT NULL DEFAULT '',
    fields        TEXT    NOT NULL DEFAULT '',
    seen_sync     BIGINT  NOT NULL DEFAULT 0,
    created_at    BIGINT  NOT NULL DEFAULT 0,
    updated_at    BIGINT  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX recipients_openid ON recipients (openid);
CREATE INDEX recipients_reachable ON recipients (subscribed, opted_out, id);
CREATE INDEX recipients_testers ON recipients (id) WHERE tester = 1;

CREATE TABLE broadcasts (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    request_key      TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    message          TEXT   NOT NULL,
    digest           TEXT   NOT NULL,
    audience         TEXT   NOT NULL,
    retry_of         BIGINT NOT NULL DEFAULT 0,
    asked_by         TEXT   NOT NULL,
    salt             TEXT   NOT NULL,
    state            TEXT   NOT NULL,
    reason           TEXT   NOT NULL DEFAULT '',
    detail           TEXT   NOT NULL DEFAULT '',
    recipients       BIGINT NOT NULL DEFAULT 0,
    max_recipient_id BIGINT NOT NULL DEFAULT 0,
    not_before       BIGINT NOT NULL DEFAULT 0,
    resume_at        BIGINT NOT NULL DEFAULT 0,
    asked_at         BIGINT NOT NULL DEFAULT 0,
    started_at       BIGINT NOT NULL DEFAULT 0,
    planned_at       BIGINT NOT NULL DEFAULT 0,
    finished_at      BIGINT NOT NULL DEFAULT 0,
    notified_state   TEXT   NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX broadcasts_request_key ON broadcasts (request_key);
CREATE INDEX broadcasts_state ON broadcasts (state);
CREATE INDEX broadcasts_retry_of ON broadcasts (retry_of);
CREATE INDEX broadcasts_digest ON broadcasts (digest, asked_at);

CREATE TABLE batches (
    broadcast_id BIGINT NOT NULL,
    seq          BIGINT NOT NULL,
    after_id     BIGINT NOT NULL,
    through_id   BIGINT NOT NULL,
    size         BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    PRIMARY KEY (broadcast_id, seq)
) WITHOUT ROWID;
CREATE INDEX batches_state ON batches (broadcast_id, state, seq);

CREATE TABLE deliveries (
    broadcast_id BIGINT NOT NULL,
    recipient_id BIGINT NOT NULL,
    state        TEXT   NOT NULL,
    msgid        BIGINT NOT NULL DEFAULT 0,
    errcode      INT    NOT NULL DEFAULT 0,
    detail       TEXT   NOT NULL DEFAULT '',
    attempts     INT    NOT NULL DEFAULT 0,
    sent_at      BIGINT NOT NULL DEFAULT 0,
    updated_at   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (broadcast_id, recipient_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_msgid ON deliveries (msgid) WHERE msgid <> 0;

CREATE TABLE receipts (
    msgid       BIGINT NOT NULL PRIMARY KEY,
    state       TEXT   NOT NULL,
    detail      TEXT   NOT NULL DEFAULT '',
    received_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX receipts_received_at ON receipts (received_at);

CREATE TABLE inbound (
    message_key TEXT   NOT NULL PRIMARY KEY COLLATE BINARY,
    reply       TEXT   NOT NULL,
    received_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbound_received_at ON inbound (received_at);

CREATE TABLE facts (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE facts;
DROP TABLE inbound;
DROP TABLE receipts;
DROP TABLE deliveries;
DROP TABLE batches;
DROP TABLE broadcasts;
DROP TABLE recipients;
