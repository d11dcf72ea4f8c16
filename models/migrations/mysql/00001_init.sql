-- +goose Up
CREATE TABLE recipients (
    id            BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    openid        VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    subscribed    BOOLEAN      NOT NULL DEFAULT 1,
    opted_out     BOOLEAN      NOT NULL DEFAULT 0,
    tester        BOOLEAN      NOT NULL DEFAULT 0,
    subscribed_at BIGINT       NOT NULL DEFAULT 0,
    scene         VARCHAR(255) NOT NULL DEFAULT '',
    fields        TEXT         NOT NULL,
    seen_sync     BIGINT       NOT NULL DEFAULT 0,
    created_at    BIGINT       NOT NULL DEFAULT 0,
    updated_at    BIGINT       NOT NULL DEFAULT 0,
    UNIQUE KEY recipients_openid (openid),
    KEY recipients_reachable (subscribed, opted_out, id),
    KEY recipients_testers (tester, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE broadcasts (
    id               BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    request_key      VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name             VARCHAR(191) NOT NULL,
    message          MEDIUMTEXT   NOT NULL,
    digest           VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    audience         VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    retry_of         BIGINT       NOT NULL DEFAULT 0,
    asked_by         VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    salt             VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    state            VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason           VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    detail           VARCHAR(1000) NOT NULL DEFAULT '',
    recipients       BIGINT       NOT NULL DEFAULT 0,
    max_recipient_id BIGINT       NOT NULL DEFAULT 0,
    not_before       BIGINT       NOT NULL DEFAULT 0,
    resume_at        BIGINT       NOT NULL DEFAULT 0,
    asked_at         BIGINT       NOT NULL DEFAULT 0,
    started_at       BIGINT       NOT NULL DEFAULT 0,
    planned_at       BIGINT       NOT NULL DEFAULT 0,
    finished_at      BIGINT       NOT NULL DEFAULT 0,
    notified_state   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    UNIQUE KEY broadcasts_request_key (request_key),
    KEY broadcasts_state (state),
    KEY broadcasts_retry_of (retry_of),
    KEY broadcasts_digest (digest, asked_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE batches (
    broadcast_id BIGINT      NOT NULL,
    seq          BIGINT      NOT NULL,
    after_id     BIGINT      NOT NULL,
    through_id   BIGINT      NOT NULL,
    size         BIGINT      NOT NULL,
    state        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    PRIMARY KEY (broadcast_id, seq),
    KEY batches_state (broadcast_id, state, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE deliveries (
    broadcast_id BIGINT       NOT NULL,
    recipient_id BIGINT       NOT NULL,
    state        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    msgid        BIGINT       NOT NULL DEFAULT 0,
    errcode      INT          NOT NULL DEFAULT 0,
    detail       VARCHAR(255) NOT NULL DEFAULT '',
    attempts     INT          NOT NULL DEFAULT 0,
    sent_at      BIGINT       NOT NULL DEFAULT 0,
    updated_at   BIGINT       NOT NULL DEFAULT 0,
    PRIMARY KEY (broadcast_id, recipient_id),
    KEY deliveries_msgid (msgid)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE receipts (
    msgid       BIGINT       NOT NULL PRIMARY KEY,
    state       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    detail      VARCHAR(255) NOT NULL DEFAULT '',
    received_at BIGINT       NOT NULL,
    KEY receipts_received_at (received_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE inbound (
    message_key VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    reply       TEXT         NOT NULL,
    received_at BIGINT       NOT NULL,
    KEY inbound_received_at (received_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE facts (
    name  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE facts;
DROP TABLE inbound;
DROP TABLE receipts;
DROP TABLE deliveries;
DROP TABLE batches;
DROP TABLE broadcasts;
DROP TABLE recipients;
