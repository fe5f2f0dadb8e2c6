-- name: add_happening
INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
VALUES (:at, :kind, :campaign_id, :contact_id, :attempt_id, :body)

-- name: happenings
SELECT id, at, kind, campaign_id, contact_id, attempt_id, body FROM events WHERE id > :after ORDER BY id LIMIT :limit

-- name: last_happening
SELECT coalesce(max(id), 0) AS id FROM events

-- name: forget_happenings
-- By id: they came in the order of their ids, and there is no index by time.
DELETE FROM events WHERE id IN (
  SELECT id FROM (SELECT id, at FROM events ORDER BY id LIMIT :limit) WHERE at < :before)
  AND id <= (SELECT min(event_id) FROM followers)

-- name: webhooks
SELECT * FROM webhooks ORDER BY created_at, id

-- name: add_webhook
INSERT INTO webhooks (id, tenant, campaign_id, url, secret, events, form, options, enabled, created_at, created_by)
VALUES (:id, :tenant, :campaign_id, :url, :secret, :events, :form, :options, :enabled, :created_at, :created_by)

-- name: save_webhook
UPDATE webhooks SET url = :url, secret = :secret, events = :events, form = :form, options = :options,
  campaign_id = :campaign_id, enabled = :enabled WHERE id = :id

-- name: remove_webhook
DELETE FROM webhooks WHERE id = :id

-- name: remove_deliveries
DELETE FROM deliveries WHERE webhook_id = :id

-- name: follower
SELECT event_id FROM followers WHERE name = :name

-- name: move_follower
INSERT INTO followers (name, event_id) VALUES (:name, :event_id)
ON CONFLICT (name) DO UPDATE SET event_id = max(event_id, excluded.event_id)

-- name: add_delivery
INSERT INTO deliveries (id, webhook_id, event_id, kind, body, state, tries, created_at, retry_at, delivered_at, status,
  error)
SELECT :id, :webhook_id, :event_id, :kind, :body, :state, :tries, :created_at, :retry_at, :delivered_at, :status, :error
WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = :webhook_id)
ON CONFLICT DO NOTHING

-- name: due_deliveries
SELECT * FROM deliveries INDEXED BY deliveries_pending
WHERE webhook_id = :webhook_id AND state = 'pending' AND retry_at <= :now ORDER BY retry_at, event_id LIMIT :limit

-- name: due_webhooks
SELECT id FROM webhooks w WHERE EXISTS (
  SELECT 1 FROM deliveries INDEXED BY deliveries_pending
  WHERE webhook_id = w.id AND state = 'pending' AND retry_at <= :now)

-- name: delivered
UPDATE deliveries SET state = 'delivered', delivered_at = :now, status = :status, tries = tries + 1, error = ''
WHERE id = :id

-- name: not_delivered
UPDATE deliveries SET state = iif(:retry_at IS NULL, 'dead', 'pending'), retry_at = coalesce(:retry_at, retry_at),
  status = :status, error = :error, tries = tries + 1
WHERE id = :id

-- name: deliveries
SELECT * FROM deliveries
WHERE (:webhook_id IS NULL OR webhook_id = :webhook_id) AND (:state IS NULL OR state = :state)
  AND (:after = '' OR (event_id, id) < (SELECT event_id, id FROM deliveries WHERE id = :after))
ORDER BY event_id DESC, id DESC LIMIT :limit

-- name: resend
UPDATE deliveries SET state = 'pending', retry_at = :now, created_at = :now, tries = 0
WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'pending'

-- name: forget_deliveries
DELETE FROM deliveries WHERE id IN (
  SELECT id FROM deliveries WHERE state = 'delivered' AND delivered_at < :before LIMIT :limit)

-- name: delivery_counts
SELECT state, count(*) AS n FROM deliveries WHERE state IN ('pending', 'dead') GROUP BY state
