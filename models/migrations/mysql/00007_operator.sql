-- +goose Up
-- A broadcast may be for some of the recipients of an earlier one in more ways than a retry.
ALTER TABLE broadcasts
    CHANGE COLUMN retry_of of_id BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN planned_start BIGINT NOT NULL DEFAULT 0,
    DROP KEY broadcasts_retry_of,
    ADD KEY broadcasts_of_id (of_id);

-- A process of an older version that still runs knows nothing of these audiences, and would
-- take each for everyone. It can lease no batch any more, since it has another name for this.
ALTER TABLE batches CHANGE COLUMN takes leases BIGINT NOT NULL DEFAULT 0;

ALTER TABLE recipients
    ADD COLUMN name         VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    ADD COLUMN opted_out_at BIGINT       NOT NULL DEFAULT 0,
    ADD COLUMN left_at      BIGINT       NOT NULL DEFAULT 0,
    ADD COLUMN heard        VARCHAR(255) NOT NULL DEFAULT '',
    ADD COLUMN heard_at     BIGINT       NOT NULL DEFAULT 0,
    ADD KEY recipients_opted_out_at (opted_out_at),
    ADD KEY recipients_left_at (left_at),
    ADD KEY recipients_name (name);

CREATE TABLE messages (
    folded     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    name       VARCHAR(191) NOT NULL,
    content    MEDIUMTEXT   NOT NULL,
    changed_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    changed_at BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE replies (
    folded     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    word       VARCHAR(191) NOT NULL,
    text       TEXT         NOT NULL,
    changed_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    changed_at BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE admins (
    openid   VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    role     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    added_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    added_at BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE audit (
    id          BIGINT        NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at          BIGINT        NOT NULL,
    admin       VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    action      VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    target      VARCHAR(191)  NOT NULL DEFAULT '',
    detail      VARCHAR(1000) NOT NULL DEFAULT '',
    message_key VARCHAR(191)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    UNIQUE KEY audit_message (message_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- A notice may be for several admins.
CREATE TABLE notices (
    openid       VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    broadcast_id BIGINT       NOT NULL,
    said         VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    PRIMARY KEY (openid, broadcast_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
INSERT INTO notices (openid, broadcast_id, said) SELECT asked_by, id, notice_said FROM broadcasts WHERE notice_kept = 1;
ALTER TABLE broadcasts
    DROP KEY broadcasts_kept,
    DROP COLUMN notice_said,
    DROP COLUMN notice_kept;

-- +goose Down
ALTER TABLE broadcasts
    ADD COLUMN notice_kept BOOLEAN      NOT NULL DEFAULT 0,
    ADD COLUMN notice_said VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    ADD KEY broadcasts_kept (asked_by, notice_kept, notice_said);
UPDATE broadcasts b JOIN notices n ON n.broadcast_id = b.id AND n.openid = b.asked_by SET b.notice_kept = 1, b.notice_said = n.said;
DROP TABLE notices;
DROP TABLE audit;
DROP TABLE admins;
DROP TABLE replies;
DROP TABLE messages;
ALTER TABLE recipients
    DROP KEY recipients_name,
    DROP KEY recipients_left_at,
    DROP KEY recipients_opted_out_at,
    DROP COLUMN heard_at,
    DROP COLUMN heard,
    DROP COLUMN left_at,
    DROP COLUMN opted_out_at,
    DROP COLUMN name;
ALTER TABLE batches CHANGE COLUMN leases takes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts
    DROP KEY broadcasts_of_id,
    DROP COLUMN planned_start,
    CHANGE COLUMN of_id retry_of BIGINT NOT NULL DEFAULT 0,
    ADD KEY broadcasts_retry_of (retry_of);
