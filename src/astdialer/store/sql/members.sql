-- name: members
SELECT c.* FROM contacts c INDEXED BY contacts_of_campaign
JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.end_reason <> :removed
  AND (:agent IS NULL OR c.agentphone = :agent) AND (:bucket IS NULL OR c.bucket = :bucket)
  AND (:done IS NULL OR (c.state = 'done') = :done)
ORDER BY c.id DESC LIMIT :limit OFFSET :offset

-- name: members_by_id
SELECT c.* FROM (SELECT DISTINCT value AS id FROM json_each(:ids)) j
CROSS JOIN contacts c ON c.id = j.id JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.end_reason <> :removed
  AND (:number IS NULL OR EXISTS (SELECT 1 FROM numbers n WHERE n.contact_id = c.id AND n.number = :number))
  AND (:agent IS NULL OR c.agentphone = :agent) AND (:bucket IS NULL OR c.bucket = :bucket)
  AND (:done IS NULL OR (c.state = 'done') = :done)
ORDER BY c.id DESC LIMIT :limit OFFSET :offset

-- name: members_with_number
SELECT c.* FROM (SELECT DISTINCT contact_id FROM numbers WHERE number = :number) n
CROSS JOIN contacts c ON c.id = n.contact_id JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.end_reason <> :removed
  AND (:agent IS NULL OR c.agentphone = :agent) AND (:bucket IS NULL OR c.bucket = :bucket)
  AND (:done IS NULL OR (c.state = 'done') = :done)
ORDER BY c.id DESC LIMIT :limit OFFSET :offset

-- name: working_attempts
SELECT * FROM (
  SELECT a.*, 0 AS held FROM attempts a INDEXED BY attempts_live WHERE a.state <> 'closed'
  UNION ALL
  SELECT a.*, 1 FROM contacts c INDEXED BY contacts_held CROSS JOIN attempts a ON a.id = c.held ->> 'attempt_id'
  WHERE c.state = 'held' AND a.state = 'closed')
WHERE campaign_id IN (SELECT value FROM json_each(:campaign_ids)) AND (:contact_id IS NULL OR contact_id = :contact_id)
  AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset

-- name: past_attempts
SELECT a.*, c.state = 'held' AND c.held ->> 'attempt_id' = a.id AS held
FROM cdrs d INDEXED BY cdrs_by_date CROSS JOIN attempts a ON a.id = d.guid CROSS JOIN contacts c ON c.id = a.contact_id
WHERE d.calldate BETWEEN :from_at AND :to_at AND a.campaign_id IN (SELECT value FROM json_each(:campaign_ids))
ORDER BY d.calldate DESC, d.guid LIMIT :limit OFFSET :offset

-- name: past_attempts_of_contact
SELECT a.*, c.state = 'held' AND c.held ->> 'attempt_id' = a.id AS held
FROM attempts a INDEXED BY attempts_of_contact CROSS JOIN contacts c ON c.id = a.contact_id
WHERE a.contact_id = :contact_id AND a.state = 'closed'
  AND a.campaign_id IN (SELECT value FROM json_each(:campaign_ids))
  AND (:ids IS NULL OR a.id IN (SELECT value FROM json_each(:ids)))
  AND a.created_at BETWEEN :from_at AND :to_at
ORDER BY a.created_at DESC, a.id LIMIT :limit OFFSET :offset

-- name: past_attempts_by_id
SELECT a.*, c.state = 'held' AND c.held ->> 'attempt_id' = a.id AS held
FROM json_each(:ids) j CROSS JOIN attempts a ON a.id = j.value CROSS JOIN contacts c ON c.id = a.contact_id
WHERE a.state = 'closed' AND a.campaign_id IN (SELECT value FROM json_each(:campaign_ids))
  AND a.created_at BETWEEN :from_at AND :to_at
ORDER BY a.created_at DESC, a.id LIMIT :limit OFFSET :offset
