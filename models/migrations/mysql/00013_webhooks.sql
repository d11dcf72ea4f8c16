-- +goose Up
-- What is posted to the operator's other program when a broadcast pauses or ends: a row is
-- written with the move. payload is empty until what is told of it is known.
CREATE TABLE webhooks (
    id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    type         VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    broadcast_id BIGINT       NOT NULL,
    reason       VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at           BIGINT       NOT NULL,
    payload      MEDIUMTEXT   NOT NULL,
    due_at       BIGINT       NOT NULL,
    attempts     BIGINT       NOT NULL DEFAULT 0,
    last_error   VARCHAR(255) NOT NULL DEFAULT '',
    delivered_at BIGINT       NOT NULL DEFAULT 0,
    given_up_at  BIGINT       NOT NULL DEFAULT 0,
    UNIQUE KEY webhooks_event (event_id),
    KEY webhooks_due (delivered_at, given_up_at, due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;

-- +goose Down
DROP TABLE webhooks;
