-- name: make_base
INSERT INTO bases (campaign_id, name, timezone, created_at) VALUES (:campaign_id, :name, :timezone, :now)
ON CONFLICT (campaign_id, name) DO NOTHING

-- name: base
SELECT b.id, b.timezone, c.name AS campaign FROM bases b JOIN campaigns c ON c.id = b.campaign_id AND c.removed_at IS NULL
WHERE b.campaign_id = :campaign_id AND b.name = :name

-- name: open_upload
INSERT INTO uploads (base_id, campaign_id, file_name, state, started_at, touched_at, job)
VALUES (:base_id, :campaign_id, :file_name, 'loading', :now, :now, :job)

-- name: known_numbers
SELECT main_number FROM contacts
WHERE base_id = :base_id AND rank = 2 AND repeatable = 0 AND main_number IN (SELECT value FROM json_each(:numbers))

-- name: last_contact_id
SELECT coalesce(max(id), 0) AS id FROM contacts

-- name: add_contact
INSERT INTO contacts (id, upload_id, base_id, campaign_id, pool_id, main_number, state, rank, priority, next_at,
  expires_at, any_hour, params, agentphone, bucket, line, repeatable, reference)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_number
INSERT INTO numbers (contact_id, position, number, as_uploaded, type, priority, description, zones, next_at,
  end_reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: count_added
INSERT INTO contact_counts (pool_id, state, n) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET n = n + excluded.n

-- name: touch_upload
UPDATE uploads SET touched_at = :now WHERE id = :id AND state = 'loading'

-- name: publish_upload
UPDATE uploads SET state = 'published', published_at = :now, touched_at = :now WHERE id = :id AND state = 'loading'

-- name: mark_discarding
UPDATE uploads SET state = 'discarding' WHERE id = :id AND state <> 'published'

-- name: discardable
-- Nobody has called them: they are as they came.
SELECT c.id FROM pools p CROSS JOIN contacts c INDEXED BY contacts_ready ON c.pool_id = p.id AND c.state = 'ready'
WHERE p.upload_id = :id
UNION ALL
SELECT c.id FROM pools p CROSS JOIN contacts c INDEXED BY contacts_waiting ON c.pool_id = p.id AND c.state = 'waiting'
WHERE p.upload_id = :id
LIMIT :limit

-- name: discard_numbers
DELETE FROM numbers WHERE contact_id IN (SELECT value FROM json_each(:ids))

-- name: discard_contacts
DELETE FROM contacts WHERE id IN (SELECT value FROM json_each(:ids))

-- name: forget_counts
DELETE FROM contact_counts WHERE pool_id IN (SELECT id FROM pools WHERE upload_id = :id)

-- name: forget_pools
DELETE FROM pools WHERE upload_id = :id

-- name: forget_upload
DELETE FROM uploads WHERE id = :id AND state = 'discarding'

-- name: forget_empty_base
DELETE FROM bases WHERE id = :base_id AND NOT EXISTS (SELECT 1 FROM uploads WHERE base_id = :base_id)

-- name: interrupted_uploads
SELECT u.id, u.campaign_id, c.name AS campaign, u.base_id, b.name AS base, b.timezone
FROM uploads u JOIN bases b ON b.id = u.base_id JOIN campaigns c ON c.id = u.campaign_id
WHERE u.state = 'discarding' OR (u.state = 'loading' AND u.touched_at <= :quiet_since)
