-- name: contacts
SELECT c.id, k.name AS campaign, b.name AS base, c.main_number AS number, c.state, c.next_at, c.end_reason,
  (SELECT group_concat(DISTINCT a.disposition) FROM attempts a WHERE a.contact_id = c.id) AS dispositions,
  (SELECT count(*) FROM attempts a WHERE a.contact_id = c.id) AS attempts, c.priority, c.agentphone, c.line, c.params
FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
JOIN bases b ON b.id = c.base_id JOIN campaigns k ON k.id = c.campaign_id
WHERE (:campaign IS NULL OR k.name = :campaign)
  AND (:base IS NULL OR b.name = :base)
  AND (:state IS NULL OR c.state = :state)
  AND (:end_reason IS NULL OR c.end_reason = :end_reason)
  AND (:number IS NULL OR c.id IN (SELECT contact_id FROM numbers WHERE number = :number))
ORDER BY c.id LIMIT :limit OFFSET :offset

-- name: contact
SELECT c.id, k.name AS campaign, b.name AS base, b.timezone, c.main_number AS number, c.state, c.next_at, c.end_reason,
  c.priority, c.agentphone, c.line, c.params
FROM contacts c JOIN bases b ON b.id = c.base_id JOIN campaigns k ON k.id = c.campaign_id WHERE c.id = :id

-- name: contact_numbers
SELECT number, as_uploaded, type, position, tally, last_disposition, next_at, end_reason
FROM numbers WHERE contact_id = :id ORDER BY position

-- name: contact_attempts
SELECT * FROM attempts WHERE contact_id = :id ORDER BY created_at

-- name: cdrs
SELECT * FROM cdrs
WHERE (:campaign IS NULL OR campaign = :campaign)
  AND (:number IS NULL OR dst = :number)
  AND (:disposition IS NULL OR disposition = :disposition)
  AND (:agent IS NULL OR agent = :agent)
  AND (:base IS NULL OR dialerbase = :base)
  AND (:guid IS NULL OR guid = :guid)
  AND (:from_at IS NULL OR calldate >= :from_at)
  AND (:to_at IS NULL OR calldate < :to_at)
ORDER BY calldate DESC, guid LIMIT :limit

-- name: recordings
SELECT r.attempt_id AS guid, r.date, c.campaign, c.dst AS number, r.state, r.duration_s, r.path, r.error, r.tries
FROM recordings r JOIN cdrs c ON c.guid = r.attempt_id
WHERE (:date IS NULL OR r.date = :date) AND (:campaign IS NULL OR c.campaign = :campaign)
  AND (:guid IS NULL OR r.attempt_id = :guid)
ORDER BY c.calldate DESC LIMIT :limit

-- name: bases
SELECT b.id, k.name AS campaign, b.name AS base, b.timezone, b.created_at, u.state, u.file_name,
  coalesce((SELECT sum(n) FROM contact_counts n WHERE n.upload_id = u.id), 0) AS contacts,
  coalesce((SELECT n FROM contact_counts n WHERE n.upload_id = u.id AND n.state = 'done'), 0) AS done
FROM bases b JOIN campaigns k ON k.id = b.campaign_id LEFT JOIN uploads u ON u.base_id = b.id
WHERE :campaign_id IS NULL OR b.campaign_id = :campaign_id ORDER BY b.id, u.id

-- name: live_view
SELECT engine, written_at, body FROM live_views ORDER BY written_at DESC LIMIT 1

-- name: blacklist
SELECT number, campaign, reason, added_by, added_at FROM blacklist
WHERE :campaign IS NULL OR campaign = :campaign ORDER BY number, campaign LIMIT :limit

-- name: add_to_blacklist
INSERT INTO blacklist (number, campaign, reason, added_by, added_at)
VALUES (:number, :campaign, :reason, :added_by, :added_at) ON CONFLICT DO NOTHING

-- name: remove_from_blacklist
DELETE FROM blacklist WHERE number = :number AND campaign = :campaign
