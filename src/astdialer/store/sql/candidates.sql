-- name: attach
INSERT INTO attachments (contact_id, body) VALUES (?, ?)

-- name: attachments
SELECT contact_id, body FROM attachments WHERE contact_id IN (SELECT value FROM json_each(:ids))

-- name: forget_attachments
DELETE FROM attachments WHERE contact_id IN (SELECT value FROM json_each(:ids))

-- name: candidates
SELECT c.id, c.state, c.next_at, c.end_reason, c.end_cause, c.successful, c.tries, c.params, c.reference,
  coalesce((SELECT body FROM attachments WHERE contact_id = c.id), '{}') AS attachment,
  (SELECT json_group_array(as_uploaded) FROM
    (SELECT as_uploaded FROM numbers WHERE contact_id = c.id ORDER BY position)) AS numbers,
  (SELECT json_group_array(json_object('id', id, 'number', number, 'state', state, 'disposition', disposition,
      'caller_id', caller_id, 'dialed_at', dialed_at, 'answered_at', answered_at, 'gone_at', gone_at, 'key', "key"))
    FROM (SELECT * FROM attempts WHERE contact_id = c.id AND dialed_at IS NOT NULL ORDER BY created_at)) AS attempts
FROM contacts c INDEXED BY contacts_of_campaign
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.id BETWEEN :first AND :last
ORDER BY c.id LIMIT :limit OFFSET :offset

-- name: last_call_at
SELECT max(calldate) AS at FROM cdrs WHERE campaign = :campaign

-- name: has_receivers
SELECT 1 FROM webhooks WHERE campaign_id = :campaign_id AND form = 'twin24' LIMIT 1

-- name: spent_receivers
SELECT w.id FROM webhooks w JOIN campaigns k ON k.id = w.campaign_id
WHERE w.form = 'twin24' AND k.changed_at < CASE k.state WHEN 'stopped' THEN :stopped_before
  WHEN 'finished' THEN :finished_before ELSE 0 END
  AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_pending WHERE webhook_id = w.id AND state = 'pending')
LIMIT :limit
