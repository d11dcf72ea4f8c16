-- +goose Up
-- Whom the owner of a lease on a batch may have sent to, as models.Claims has it. A delivery is
-- then written with its outcome.
ALTER TABLE batches ADD COLUMN claims TEXT NOT NULL DEFAULT '';

-- A process of an older version that still runs would take these for people whom nobody was
-- sending to. It leases no batch any more, since it has another name for this.
ALTER TABLE batches RENAME COLUMN lease_count TO times_leased;

-- +goose Down
INSERT OR IGNORE INTO deliveries (broadcast_id, recipient_id, state, sent_at, updated_at)
    SELECT p.broadcast_id, p.recipient_id, 'sending', p.at, p.at FROM (
        SELECT b.broadcast_id, json_extract(c.value, '$[0]') AS at, v.key AS k,
            SUM(CASE v.key WHEN 0 THEN 0 ELSE v.value END) OVER (PARTITION BY b.broadcast_id, b.seq, c.key ORDER BY v.key) AS recipient_id
        FROM batches b, json_each(NULLIF(b.claims, '')) c, json_each(c.value) v) p
    WHERE p.k > 0;
ALTER TABLE batches RENAME COLUMN times_leased TO lease_count;
ALTER TABLE batches DROP COLUMN claims;
