-- name: revision
SELECT n FROM revision WHERE id = 1

-- name: announce
UPDATE revision SET n = n + 1 WHERE id = 1

-- name: add_happening
INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
VALUES (:at, :kind, :campaign_id, :contact_id, :attempt_id, :body)

-- name: happenings
SELECT id, at, kind, campaign_id, contact_id, attempt_id, body FROM events WHERE id > :after ORDER BY id LIMIT :limit

-- name: last_happening
SELECT coalesce(max(id), 0) AS id FROM events

-- name: forget_happenings
-- By id: they came in the order of their ids, and there is no index by time. The newest are kept, but not for ever.
DELETE FROM events WHERE id IN (
  SELECT id FROM (SELECT id, at FROM events ORDER BY id LIMIT :limit)
  WHERE at < :before OR id <= (SELECT max(id) FROM events) - :most)
  AND id <= (SELECT min(event_id) FROM followers)

-- name: webhooks
-- Those of removed campaigns are there until their messages are erased.
SELECT * FROM webhooks
WHERE campaign_id IS NULL OR campaign_id NOT IN (SELECT id FROM campaigns WHERE removed_at IS NOT NULL)
ORDER BY created_at, id

-- name: add_webhook
INSERT INTO webhooks (id, tenant, campaign_id, url, secret, events, form, options, enabled, since_event, created_at,
  created_by)
VALUES (:id, :tenant, :campaign_id, :url, :secret, :events, :form, :options, :enabled,
  (SELECT coalesce(max(id), 0) FROM events), :created_at, :created_by)

-- name: save_webhook
-- One that is enabled again is not told of what happened meanwhile.
UPDATE webhooks SET url = :url, secret = :secret, events = :events, form = :form, options = :options,
  campaign_id = :campaign_id, enabled = :enabled,
  since_event = iif(:enabled AND NOT enabled, (SELECT coalesce(max(id), 0) FROM events), since_event)
WHERE id = :id

-- name: disable_webhook
UPDATE webhooks SET enabled = 0 WHERE id = :id

-- name: remove_webhook
DELETE FROM webhooks WHERE id = :id

-- name: remove_deliveries
DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries WHERE webhook_id = :id LIMIT :limit)

-- name: follower
SELECT event_id FROM followers WHERE name = :name

-- name: move_follower
INSERT INTO followers (name, event_id) VALUES (:name, :event_id)
ON CONFLICT (name) DO UPDATE SET event_id = max(event_id, excluded.event_id)

-- name: add_delivery
-- Its webhook may be gone, or not be told any more, by now.
INSERT INTO deliveries (id, webhook_id, event_id, kind, state, tries, created_at, retry_at, delivered_at, status, error,
  body)
SELECT :id, :webhook_id, :event_id, :kind, :state, :tries, :created_at, :retry_at, :delivered_at, :status, :error, :body
WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = :webhook_id AND enabled)
ON CONFLICT DO NOTHING

-- name: due_deliveries
SELECT * FROM deliveries INDEXED BY deliveries_pending
WHERE webhook_id = :webhook_id AND state = 'pending' AND retry_at <= :now ORDER BY retry_at, seq LIMIT :limit

-- name: tried
UPDATE deliveries SET state = :state, tries = tries + 1, retry_at = coalesce(:retry_at, retry_at),
  delivered_at = :delivered_at, status = :status, error = :error
WHERE id = :id AND created_at = :created_at AND (state = 'pending' OR :state = 'delivered')

-- name: due_webhooks
SELECT id FROM webhooks w WHERE EXISTS (
  SELECT 1 FROM deliveries INDEXED BY deliveries_pending
  WHERE webhook_id = w.id AND state = 'pending' AND retry_at <= :now)

-- name: give_up
-- Those older than an instant, or more than may wait, the oldest first.
UPDATE deliveries SET state = 'dead', error = iif(error = '', :why, error) WHERE seq IN (
  SELECT seq FROM deliveries INDEXED BY deliveries_by_state
  WHERE state = 'pending' AND webhook_id = :webhook_id AND (created_at < :before OR (created_at, seq) <= (
    SELECT created_at, seq FROM deliveries INDEXED BY deliveries_by_state
    WHERE state = 'pending' AND webhook_id = :webhook_id ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET :most))
  ORDER BY created_at, seq LIMIT :limit)

-- name: deliveries
SELECT * FROM deliveries WHERE seq IN (
  SELECT seq FROM deliveries INDEXED BY deliveries_by_state WHERE state = :state
    AND (:webhook_id IS NULL OR webhook_id = :webhook_id)
    AND (:after = '' OR (created_at, seq) < (SELECT created_at, seq FROM deliveries WHERE id = :after))
  ORDER BY created_at DESC, seq DESC LIMIT :limit)
ORDER BY created_at DESC, seq DESC

-- name: resend
UPDATE deliveries SET state = 'pending', retry_at = :now, created_at = :now, tries = 0
WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'pending'

-- name: resend_dead
UPDATE deliveries SET state = 'pending', retry_at = :now, created_at = :now, tries = 0 WHERE seq IN (
  SELECT seq FROM deliveries INDEXED BY deliveries_by_state
  WHERE state = 'dead' AND created_at <> :now AND (:webhook_id IS NULL OR webhook_id = :webhook_id) LIMIT :limit)

-- name: forget_old_deliveries
DELETE FROM deliveries WHERE seq IN (
  SELECT seq FROM deliveries INDEXED BY deliveries_by_state
  WHERE state = :state AND created_at < :before ORDER BY created_at, seq LIMIT :limit)

-- name: crowded_webhooks
SELECT webhook_id FROM deliveries INDEXED BY deliveries_by_state WHERE state = :state
GROUP BY webhook_id HAVING count(*) > :most

-- name: forget_crowd
-- Of one webhook more than are kept, the oldest first.
DELETE FROM deliveries WHERE seq IN (
  SELECT seq FROM deliveries INDEXED BY deliveries_by_state
  WHERE state = :state AND webhook_id = :webhook_id AND (created_at, seq) <= (
    SELECT created_at, seq FROM deliveries INDEXED BY deliveries_by_state
    WHERE state = :state AND webhook_id = :webhook_id ORDER BY created_at DESC, seq DESC LIMIT 1 OFFSET :most)
  ORDER BY created_at, seq LIMIT :limit)

-- name: delivery_counts
SELECT state, count(*) AS n FROM deliveries INDEXED BY deliveries_by_state
WHERE state IN ('pending', 'dead') GROUP BY state
