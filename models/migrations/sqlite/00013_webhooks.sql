-- +goose Up
-- What is posted to the operator's other program when a broadcast pauses or ends: a row is
-- written with the move. payload is empty until what is told of it is known.
CREATE TABLE webhooks (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id     TEXT   NOT NULL COLLATE BINARY,
    type         TEXT   NOT NULL,
    broadcast_id BIGINT NOT NULL,
    reason       TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    payload      TEXT   NOT NULL DEFAULT '',
    due_at       BIGINT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0,
    last_error   TEXT   NOT NULL DEFAULT '',
    delivered_at BIGINT NOT NULL DEFAULT 0,
    given_up_at  BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX webhooks_event ON webhooks (event_id);
CREATE INDEX webhooks_due ON webhooks (delivered_at, given_up_at, due_at);

-- +goose Down
DROP TABLE webhooks;
