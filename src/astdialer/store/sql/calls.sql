-- name: cdrs_of_campaign
-- As cdrs, by the campaign's index.
SELECT * FROM cdrs
WHERE campaign = :campaign AND calldate BETWEEN :first_at AND :last_at
  AND (:before_at IS NULL OR calldate < :before_at OR guid < :before_guid)
  AND (:number IS NULL OR dst = :number)
  AND (:disposition IS NULL OR disposition = :disposition)
  AND (:agent IS NULL OR agent = :agent)
  AND (:base IS NULL OR dialerbase = :base)
  AND (:guid IS NULL OR guid = :guid)
  AND (:min_talk_s IS NULL OR talk_s >= :min_talk_s)
  AND (:tenant IS NULL OR campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY calldate DESC, guid DESC LIMIT :limit

-- name: cdrs_of_number
-- As cdrs, by the number's index.
SELECT * FROM cdrs
WHERE dst = :number AND calldate BETWEEN :first_at AND :last_at
  AND (:before_at IS NULL OR calldate < :before_at OR guid < :before_guid)
  AND (:campaign IS NULL OR campaign = :campaign)
  AND (:disposition IS NULL OR disposition = :disposition)
  AND (:agent IS NULL OR agent = :agent)
  AND (:base IS NULL OR dialerbase = :base)
  AND (:guid IS NULL OR guid = :guid)
  AND (:min_talk_s IS NULL OR talk_s >= :min_talk_s)
  AND (:tenant IS NULL OR campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY calldate DESC, guid DESC LIMIT :limit

-- name: cdrs_of_agent
-- As cdrs, by the agent's index.
SELECT * FROM cdrs INDEXED BY cdrs_by_agent
WHERE agent = :agent AND agent <> '' AND calldate BETWEEN :first_at AND :last_at
  AND (:before_at IS NULL OR calldate < :before_at OR guid < :before_guid)
  AND (:campaign IS NULL OR campaign = :campaign)
  AND (:disposition IS NULL OR disposition = :disposition)
  AND (:base IS NULL OR dialerbase = :base)
  AND (:guid IS NULL OR guid = :guid)
  AND (:min_talk_s IS NULL OR talk_s >= :min_talk_s)
  AND (:tenant IS NULL OR campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY calldate DESC, guid DESC LIMIT :limit

-- name: cdr_of_guid
SELECT * FROM cdrs WHERE guid = :guid

-- name: attempt_by_guid
SELECT a.*, k.name AS campaign, k.tenant, b.name AS base, r.state AS recording_state, r.date AS recording_date,
  r.duration_s AS recording_s, r.error AS recording_error,
  CAST(coalesce(k.settings ->> '$.record_trim_s', '0') AS INTEGER) AS recording_trim_s
FROM attempts a JOIN campaigns k ON k.id = a.campaign_id JOIN contacts c ON c.id = a.contact_id
JOIN bases b ON b.id = c.base_id LEFT JOIN recordings r ON r.attempt_id = a.id
WHERE a.id = :guid

-- name: live_attempts
SELECT a.*, k.name AS campaign, k.tenant, b.name AS base
FROM attempts a INDEXED BY attempts_live JOIN campaigns k ON k.id = a.campaign_id
JOIN contacts c ON c.id = a.contact_id JOIN bases b ON b.id = c.base_id
WHERE a.state <> 'closed' AND (:tenant IS NULL OR k.tenant = :tenant) AND (:campaign IS NULL OR k.name = :campaign)
ORDER BY a.created_at, a.id

-- name: tag_call
UPDATE attempts SET tag = :tag WHERE id = :guid

-- name: delivery
SELECT * FROM deliveries WHERE id = :id
