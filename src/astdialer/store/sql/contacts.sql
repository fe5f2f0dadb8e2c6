-- name: shown_contact
SELECT c.* FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published' WHERE c.id = :id

-- name: shown_contacts
SELECT c.* FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.id IN (SELECT value FROM json_each(:ids)) ORDER BY c.id

-- name: contacts_with_number
SELECT DISTINCT c.* FROM numbers n JOIN contacts c ON c.id = n.contact_id
JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE n.number = :number AND (:campaign_id IS NULL OR c.campaign_id = :campaign_id)
  AND (NOT :open_only OR c.state <> 'done')
ORDER BY c.id

-- name: end_after_call
-- Who is to be removed then (ports.removal.REMOVE) stays so.
UPDATE contacts SET ends_after_call = CASE ends_after_call WHEN 'remove' THEN 'remove' ELSE :reason END
WHERE id = :id AND state = 'in_call'

-- name: standing_upload
SELECT u.id, u.campaign_id, k.name AS campaign, u.base_id, b.name AS base, b.timezone
FROM uploads u JOIN bases b ON b.id = u.base_id JOIN campaigns k ON k.id = u.campaign_id
WHERE u.campaign_id = :campaign_id AND u.state = 'published' AND b.name = :base AND u.file_name = :file_name
ORDER BY u.id LIMIT 1

-- name: scheduled
-- A ready one has no time of its own any more: its numbers still have it.
SELECT c.*, d.at FROM (
  SELECT w.id, w.next_at AS at FROM pools p CROSS JOIN contacts w INDEXED BY contacts_waiting
    ON w.pool_id = p.id AND w.state = 'waiting' AND w.rank = 0
  WHERE p.campaign_id = :campaign_id
  UNION ALL
  SELECT r.id, (SELECT min(n.next_at) FROM numbers n WHERE n.contact_id = r.id)
  FROM pools p CROSS JOIN contacts r INDEXED BY contacts_ready ON r.pool_id = p.id AND r.state = 'ready' AND r.rank = 0
  WHERE p.campaign_id = :campaign_id
) d CROSS JOIN contacts c ON c.id = d.id JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE (:from_at IS NULL OR d.at >= :from_at) AND (:to_at IS NULL OR d.at < :to_at)
  AND (:after_at IS NULL OR (d.at, c.id) > (:after_at, :after_id))
  AND (:number IS NULL OR EXISTS (SELECT 1 FROM numbers n WHERE n.contact_id = c.id AND n.number = :number))
ORDER BY d.at, c.id LIMIT :limit

-- name: withdrawable
SELECT n.contact_id, n.number, n.id FROM json_each(:numbers) j CROSS JOIN numbers n ON n.number = j.value
CROSS JOIN contacts c ON c.id = n.contact_id JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
JOIN campaigns k ON k.id = c.campaign_id
WHERE n.id > :after AND (n.next_at < :until OR (:until IS NULL AND n.next_at IS NOT NULL))
  AND c.state IN ('ready', 'waiting', 'held') AND :campaign IN ('*', k.name)
ORDER BY n.id LIMIT :limit

-- name: withdrawable_range
SELECT n.contact_id, n.number, n.id FROM numbers n INDEXED BY numbers_by_number
CROSS JOIN contacts c ON c.id = n.contact_id JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
JOIN campaigns k ON k.id = c.campaign_id
WHERE n.number >= :first AND n.number < :end AND (n.number > :first OR n.id > :after)
  AND (n.next_at < :until OR (:until IS NULL AND n.next_at IS NOT NULL))
  AND c.state IN ('ready', 'waiting', 'held') AND :campaign IN ('*', k.name)
ORDER BY n.number, n.id LIMIT :limit

-- name: remove_from_blacklist
DELETE FROM blacklist WHERE number = :number AND campaign = :campaign

-- name: deferred_numbers
SELECT n.contact_id, n.number, n.id FROM numbers n INDEXED BY numbers_by_number
CROSS JOIN contacts c ON c.id = n.contact_id JOIN campaigns k ON k.id = c.campaign_id
WHERE n.number BETWEEN :first AND :last AND (n.number > :first OR n.id > :after) AND n.next_at IS NOT NULL
  AND c.state = 'waiting' AND c.deferred = 1 AND :campaign IN ('*', k.name)
ORDER BY n.number, n.id LIMIT :limit

-- name: rewake_contacts
UPDATE contacts SET deferred = 0, why = '',
  next_at = coalesce((SELECT min(n.next_at) FROM numbers n WHERE n.contact_id = contacts.id), 0)
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'waiting' AND deferred = 1

-- name: idle_contacts
SELECT * FROM contacts
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('ready', 'waiting', 'held')

-- name: expired_contacts
SELECT c.* FROM contacts c INDEXED BY contacts_expiring
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.expires_at <= :now AND c.state IN ('ready', 'waiting') ORDER BY c.expires_at LIMIT :limit

-- name: overdue_results
SELECT * FROM contacts INDEXED BY contacts_held
WHERE state = 'held' AND held_until <= :now ORDER BY held_until LIMIT :limit

-- name: rewake
UPDATE contacts SET deferred = 0, why = '',
  next_at = coalesce((SELECT min(n.next_at) FROM numbers n WHERE n.contact_id = contacts.id), 0)
WHERE id IN (
  SELECT c.id FROM pools p CROSS JOIN contacts c INDEXED BY contacts_deferred
    ON c.pool_id = p.id AND c.state = 'waiting' AND c.deferred = 1
  WHERE p.campaign_id = :campaign_id LIMIT :limit)

-- name: name_contact
UPDATE contacts SET main_number = :number WHERE id = :id
