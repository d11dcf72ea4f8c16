-- +goose Up
-- A process of an older version that still runs knows nothing of these audiences and their
-- guards. It can plan no broadcast and lease no batch any more, since it has other names
-- for these columns.
ALTER TABLE broadcasts
    CHANGE COLUMN max_recipient_id through_id BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN target          MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    ADD COLUMN through_consent BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN approvals       INT     NOT NULL DEFAULT 0,
    ADD COLUMN pending_since   BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN any_hour        BOOLEAN NOT NULL DEFAULT 0,
    ADD COLUMN canary          BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN canary_segment  BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN canary_at       BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN intercepted     BIGINT  NOT NULL DEFAULT -1,
    ADD KEY broadcasts_finished (finished_at);
ALTER TABLE batches
    CHANGE COLUMN leases lease_count BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN segment_id BIGINT NOT NULL DEFAULT 0;

-- A stranger is on a list and was never known to follow.
ALTER TABLE recipients
    ADD COLUMN stranger    BOOLEAN NOT NULL DEFAULT 0,
    ADD COLUMN blacklisted BOOLEAN NOT NULL DEFAULT 0,
    DROP KEY recipients_reachable,
    ADD KEY recipients_reachable (subscribed, opted_out, blacklisted, id),
    ADD KEY recipients_blacklisted (blacklisted, id),
    ADD KEY recipients_stranger (stranger, id);

CREATE TABLE topics (
    id          BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    folded      VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    name        VARCHAR(191) NOT NULL,
    description VARCHAR(255) NOT NULL DEFAULT '',
    added_by    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    added_at    BIGINT       NOT NULL,
    removed_at  BIGINT       NOT NULL DEFAULT 0,
    UNIQUE KEY topics_folded (folded)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- What people said, in order. topic_id is 0 for everything: stop and start.
CREATE TABLE consents (
    id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    topic_id     BIGINT       NOT NULL,
    recipient_id BIGINT       NOT NULL,
    joined       BOOLEAN      NOT NULL,
    at           BIGINT       NOT NULL,
    via          VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    text         VARCHAR(255) NOT NULL DEFAULT '',
    message_key  VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    KEY consents_person (topic_id, recipient_id, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

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
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- People who were put together once: a version of a list, a tag as it was pulled, the
-- recipients of a canary. Nobody is added later.
CREATE TABLE segments (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name       VARCHAR(191) NOT NULL,
    size       BIGINT       NOT NULL DEFAULT 0,
    fields     TEXT         NOT NULL,
    used       BOOLEAN      NOT NULL DEFAULT 0,
    made_by    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    made_at    BIGINT       NOT NULL DEFAULT 0
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE members (
    segment_id   BIGINT NOT NULL,
    recipient_id BIGINT NOT NULL,
    fields       TEXT   NOT NULL,
    PRIMARY KEY (segment_id, recipient_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE lists (
    folded     VARCHAR(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    name       VARCHAR(191) NOT NULL,
    segment_id BIGINT       NOT NULL,
    changed_by VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    changed_at BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE approvals (
    broadcast_id BIGINT       NOT NULL,
    openid       VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at           BIGINT       NOT NULL,
    PRIMARY KEY (broadcast_id, openid)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE approvals;
DROP TABLE lists;
DROP TABLE members;
DROP TABLE segments;
DROP TABLE memberships;
DROP TABLE consents;
DROP TABLE topics;
ALTER TABLE recipients
    DROP KEY recipients_stranger,
    DROP KEY recipients_blacklisted,
    DROP KEY recipients_reachable,
    DROP COLUMN blacklisted,
    DROP COLUMN stranger,
    ADD KEY recipients_reachable (subscribed, opted_out, id);
ALTER TABLE batches
    DROP COLUMN segment_id,
    CHANGE COLUMN lease_count leases BIGINT NOT NULL DEFAULT 0;
ALTER TABLE broadcasts
    DROP KEY broadcasts_finished,
    DROP COLUMN intercepted,
    DROP COLUMN canary_at,
    DROP COLUMN canary_segment,
    DROP COLUMN canary,
    DROP COLUMN any_hour,
    DROP COLUMN pending_since,
    DROP COLUMN approvals,
    DROP COLUMN through_consent,
    DROP COLUMN target,
    CHANGE COLUMN through_id max_recipient_id BIGINT NOT NULL DEFAULT 0;
