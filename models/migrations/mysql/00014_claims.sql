-- +goose Up
-- Whom the owner of a lease on a batch may have sent to, as models.Claims has it. A delivery is
-- then written with its outcome.
--
-- A process of an older version that still runs would take these for people whom nobody was
-- sending to. It leases no batch any more, since it has another name for lease_count.
ALTER TABLE batches
    CHANGE COLUMN lease_count times_leased BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN claims VARCHAR(20000) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';

-- +goose Down
INSERT IGNORE INTO deliveries (broadcast_id, recipient_id, state, sent_at, updated_at)
    SELECT p.broadcast_id, p.recipient_id, 'sending', p.at, p.at FROM (
        SELECT b.broadcast_id, c.at, v.k,
            SUM(CASE v.k WHEN 1 THEN 0 ELSE v.d END) OVER (PARTITION BY b.broadcast_id, b.seq, c.k ORDER BY v.k) AS recipient_id
        FROM batches b
        JOIN JSON_TABLE(NULLIF(b.claims, ''), '$[*]' COLUMNS (k FOR ORDINALITY, at BIGINT PATH '$[0]', list JSON PATH '$')) c
        JOIN JSON_TABLE(c.list, '$[*]' COLUMNS (k FOR ORDINALITY, d BIGINT PATH '$')) v) p
    WHERE p.k > 1;
ALTER TABLE batches
    DROP COLUMN claims,
    CHANGE COLUMN times_leased lease_count BIGINT NOT NULL DEFAULT 0;
