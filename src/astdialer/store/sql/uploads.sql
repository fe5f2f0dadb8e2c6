-- name: make_base
INSERT INTO bases (campaign_id, name, timezone, created_at) VALUES (:campaign_id, :name, :timezone, :now)
ON CONFLICT (campaign_id, name) DO NOTHING

-- name: base
SELECT b.id, b.timezone, c.name AS campaign FROM bases b JOIN campaigns c ON c.id = b.campaign_id
WHERE b.campaign_id = :campaign_id AND b.name = :name

-- name: open_upload
INSERT INTO uploads (base_id, campaign_id, file_name, state, started_at, touched_at)
VALUES (:base_id, :campaign_id, :file_name, 'loading', :now, :now)

-- name: known_numbers
SELECT main_number FROM contacts
WHERE base_id = :base_id AND main_number IN (SELECT value FROM json_each(:numbers))

-- name: last_contact_id
SELECT coalesce(max(id), 0) FROM contacts

-- name: add_contact
INSERT INTO contacts (id, upload_id, base_id, campaign_id, main_number, state, priority, params, agentphone, line)
VALUES (?, ?, ?, ?, ?, 'ready', ?, ?, ?, ?)

-- name: add_number
INSERT INTO numbers (contact_id, position, number, as_uploaded, type) VALUES (?, ?, ?, ?, ?)

-- name: count_added
INSERT INTO contact_counts (upload_id, state, n) VALUES (:upload_id, 'ready', :n)
ON CONFLICT DO UPDATE SET n = n + excluded.n

-- name: touch_upload
UPDATE uploads SET touched_at = :now WHERE id = :id AND state = 'loading'

-- name: publish_upload
UPDATE uploads SET state = 'published', published_at = :now, touched_at = :now WHERE id = :id AND state = 'loading'

-- name: mark_discarding
UPDATE uploads SET state = 'discarding' WHERE id = :id AND state <> 'published'

-- name: discard_numbers
DELETE FROM numbers WHERE contact_id IN (SELECT id FROM contacts WHERE upload_id = :id AND state = 'ready'
  ORDER BY priority, id LIMIT 5000)

-- name: discard_contacts
DELETE FROM contacts WHERE id IN (SELECT id FROM contacts WHERE upload_id = :id AND state = 'ready'
  ORDER BY priority, id LIMIT 5000)

-- name: forget_upload
DELETE FROM uploads WHERE id = :id AND state = 'discarding'

-- name: forget_counts
DELETE FROM contact_counts WHERE upload_id = :id

-- name: forget_empty_base
DELETE FROM bases WHERE id = :base_id AND NOT EXISTS (SELECT 1 FROM uploads WHERE base_id = :base_id)

-- name: interrupted_uploads
SELECT u.id, u.campaign_id, c.name AS campaign, u.base_id, b.name AS base
FROM uploads u JOIN bases b ON b.id = u.base_id JOIN campaigns c ON c.id = u.campaign_id
WHERE u.state = 'discarding' OR (u.state = 'loading' AND u.touched_at <= :quiet_since)
