-- name: contacts
-- By campaign first: those of one campaign, or one tenant, are found without reading the others'.
SELECT c.id, c.campaign_id, k.name AS campaign, b.name AS base, c.main_number AS number, c.reference, c.state, c.next_at,
  c.why, c.end_reason, c.end_cause, c.successful,
  (SELECT group_concat(DISTINCT a.disposition) FROM attempts a WHERE a.contact_id = c.id) AS dispositions,
  (SELECT count(*) FROM attempts a WHERE a.contact_id = c.id) AS attempts, c.tries, c.rank, c.priority, c.agentphone,
  c.bucket, c.tag, c.last_call_at, c.expires_at, c.held_until, c.line, c.params
FROM campaigns k CROSS JOIN contacts c INDEXED BY contacts_of_campaign ON c.campaign_id = k.id
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published' CROSS JOIN bases b ON b.id = c.base_id
WHERE (:campaign IS NULL OR k.name = :campaign)
  AND (:tenant IS NULL OR k.tenant = :tenant)
  AND k.id >= :after_campaign AND c.id > CASE k.id WHEN :after_campaign THEN :after ELSE 0 END
  AND (:base IS NULL OR b.name = :base)
  AND (:state IS NULL OR c.state = :state)
  AND (:rank IS NULL OR c.rank = :rank)
  AND (:end_reason IS NULL OR c.end_reason = :end_reason)
  AND (:tag IS NULL OR c.tag = :tag)
ORDER BY k.id, c.id LIMIT :limit OFFSET :offset

-- name: contacts_found
-- The same by a number, or by what another system calls them.
SELECT c.id, c.campaign_id, k.name AS campaign, b.name AS base, c.main_number AS number, c.reference, c.state, c.next_at,
  c.why, c.end_reason, c.end_cause, c.successful,
  (SELECT group_concat(DISTINCT a.disposition) FROM attempts a WHERE a.contact_id = c.id) AS dispositions,
  (SELECT count(*) FROM attempts a WHERE a.contact_id = c.id) AS attempts, c.tries, c.rank, c.priority, c.agentphone,
  c.bucket, c.tag, c.last_call_at, c.expires_at, c.held_until, c.line, c.params
FROM (
  SELECT contact_id AS id FROM numbers INDEXED BY numbers_by_number WHERE number = :number
  UNION
  SELECT id FROM contacts INDEXED BY contacts_by_reference WHERE :number IS NULL
    AND campaign_id IN (SELECT id FROM campaigns) AND reference = :reference AND reference <> ''
) f CROSS JOIN contacts c ON c.id = f.id CROSS JOIN campaigns k ON k.id = c.campaign_id
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published' CROSS JOIN bases b ON b.id = c.base_id
WHERE (:campaign IS NULL OR k.name = :campaign)
  AND (:tenant IS NULL OR k.tenant = :tenant)
  AND k.id >= :after_campaign AND c.id > CASE k.id WHEN :after_campaign THEN :after ELSE 0 END
  AND (:reference IS NULL OR c.reference = :reference)
  AND (:base IS NULL OR b.name = :base)
  AND (:state IS NULL OR c.state = :state)
  AND (:rank IS NULL OR c.rank = :rank)
  AND (:end_reason IS NULL OR c.end_reason = :end_reason)
  AND (:tag IS NULL OR c.tag = :tag)
ORDER BY k.id, c.id LIMIT :limit OFFSET :offset

-- name: contact
SELECT c.id, c.campaign_id, k.name AS campaign, b.name AS base, b.timezone, p.zones, c.main_number AS number,
  c.reference, c.state, c.next_at, c.why, c.end_reason, c.end_cause, c.successful, c.ended_at, c.ends_after_call,
  c.tries, c.last_call_at, c.rank, c.priority, c.agentphone, c.bucket, c.tag, c.any_hour, c.preferred, c.expires_at,
  c.held_until, c.line, c.params,
  coalesce((SELECT body FROM attachments WHERE contact_id = c.id), '{}') AS attachment
FROM contacts c JOIN bases b ON b.id = c.base_id JOIN campaigns k ON k.id = c.campaign_id
JOIN pools p ON p.id = c.pool_id WHERE c.id = :id

-- name: contact_numbers
SELECT number, as_uploaded, type, position, priority, description, zones, tally, tries, range_tally, last_disposition,
  last_call_at, next_at, end_reason
FROM numbers WHERE contact_id = :id ORDER BY position

-- name: contact_attempts
SELECT * FROM attempts WHERE contact_id = :id ORDER BY created_at

-- name: cdrs
-- Without OR where an index can be used: a page deep down costs no more than the first.
SELECT * FROM cdrs
WHERE calldate BETWEEN :first_at AND :last_at
  AND (:before_at IS NULL OR calldate < :before_at OR guid < :before_guid)
  AND (:campaign IS NULL OR campaign = :campaign)
  AND (:number IS NULL OR dst = :number)
  AND (:disposition IS NULL OR disposition = :disposition)
  AND (:agent IS NULL OR agent = :agent)
  AND (:base IS NULL OR dialerbase = :base)
  AND (:guid IS NULL OR guid = :guid)
  AND (:min_talk_s IS NULL OR talk_s >= :min_talk_s)
  AND (:tenant IS NULL OR campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY calldate DESC, guid DESC LIMIT :limit

-- name: recordings
SELECT r.attempt_id AS guid, r.date, c.campaign, c.dst AS number, r.state, r.duration_s, r.path, r.error, r.tries,
  c.calldate, c.agent, c.disposition, c.talk_s, c.contact_id
FROM recordings r JOIN cdrs c ON c.guid = r.attempt_id
WHERE (:date IS NULL OR r.date = :date) AND (:campaign IS NULL OR c.campaign = :campaign)
  AND c.calldate BETWEEN :first_at AND :last_at
  AND (:before_at IS NULL OR c.calldate < :before_at OR c.guid < :before_guid)
  AND (:guid IS NULL OR r.attempt_id = :guid)
  AND (:tenant IS NULL OR c.campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY c.calldate DESC, c.guid DESC LIMIT :limit

-- name: bases
SELECT b.id, k.name AS campaign, b.name AS base, b.timezone, b.created_at, u.state, u.file_name,
  coalesce((SELECT sum(n.n) FROM pools p JOIN contact_counts n ON n.pool_id = p.id
    WHERE p.upload_id = u.id), 0) AS contacts,
  coalesce((SELECT sum(n.n) FROM pools p JOIN contact_counts n ON n.pool_id = p.id AND n.state = 'done'
    WHERE p.upload_id = u.id), 0) AS done
FROM bases b JOIN campaigns k ON k.id = b.campaign_id AND k.removed_at IS NULL
LEFT JOIN uploads u ON u.base_id = b.id AND u.state <> 'removed'
WHERE :campaign_id IS NULL OR b.campaign_id = :campaign_id ORDER BY b.id, u.id

-- name: live_view
SELECT engine, written_at, body FROM live_views ORDER BY written_at DESC LIMIT 1

-- name: abandonment
SELECT day, sum(n) AS people, sum(CASE disposition WHEN 'abandoned' THEN n ELSE 0 END) AS abandoned
FROM campaign_days
WHERE campaign_id = :campaign_id AND day >= :from_day AND disposition IN (SELECT value FROM json_each(:people))
GROUP BY day ORDER BY day

-- name: days
SELECT day, disposition, n FROM campaign_days
WHERE campaign_id = :campaign_id AND day >= :from_day ORDER BY day, disposition

-- name: trunk_days
SELECT trunk, day, disposition, n FROM trunk_days WHERE day >= :from_day ORDER BY trunk, day, disposition

-- name: agent_days
SELECT a.agent, k.name AS campaign, a.day, a.offered, a.answered, a.talk_s
FROM agent_days a JOIN campaigns k ON k.id = a.campaign_id
WHERE a.day >= :from_day ORDER BY a.agent, k.name, a.day

-- name: endings
SELECT * FROM endings WHERE id > :after ORDER BY id LIMIT :limit

-- name: endings_of_campaign
SELECT * FROM endings WHERE campaign_id = :campaign_id AND id > :after ORDER BY id LIMIT :limit

-- name: endings_of_tenant
SELECT e.* FROM endings e CROSS JOIN campaigns k ON k.id = e.campaign_id
WHERE e.id > :after AND k.tenant = :tenant ORDER BY e.id LIMIT :limit

-- name: survey
SELECT p.zones, p.bucket,
  sum(CASE n.state WHEN 'ready' THEN n.n ELSE 0 END) AS ready,
  sum(CASE n.state WHEN 'waiting' THEN n.n ELSE 0 END) AS waiting,
  sum(CASE n.state WHEN 'in_call' THEN n.n ELSE 0 END) AS in_call,
  sum(CASE n.state WHEN 'held' THEN n.n ELSE 0 END) AS held,
  sum(CASE n.state WHEN 'done' THEN n.n ELSE 0 END) AS done
FROM pools p JOIN uploads u ON u.id = p.upload_id AND u.state = 'published' JOIN contact_counts n ON n.pool_id = p.id
WHERE p.campaign_id = :campaign_id GROUP BY p.zones, p.bucket ORDER BY p.zones, p.bucket

-- name: put_off
SELECT CASE WHEN c.why <> '' THEN c.why WHEN c.last_call_at > 0 THEN :retry ELSE :promised END AS why,
  count(*) AS n, min(c.next_at) AS first_at, max(c.next_at) AS last_at
FROM pools p JOIN uploads u ON u.id = p.upload_id AND u.state = 'published'
CROSS JOIN contacts c INDEXED BY contacts_waiting ON c.pool_id = p.id AND c.state = 'waiting'
WHERE p.campaign_id = :campaign_id GROUP BY 1 ORDER BY n DESC, 1

-- name: coming_up
SELECT p.zones, p.bucket,
  CASE WHEN c.next_at <= :now THEN 0 ELSE min(c.next_at / :step * :step, :horizon) END AS at, count(*) AS n
FROM pools p JOIN uploads u ON u.id = p.upload_id AND u.state = 'published'
CROSS JOIN contacts c INDEXED BY contacts_waiting ON c.pool_id = p.id AND c.state = 'waiting'
WHERE p.campaign_id = :campaign_id GROUP BY 1, 2, 3

-- name: barred_contacts
WITH barred (number_id, contact_id) AS (
  SELECT n.id, n.contact_id FROM blacklist b JOIN campaigns k ON k.id = :campaign_id AND b.campaign IN ('*', k.name)
  CROSS JOIN numbers n ON n.number = b.number
  WHERE (b.expires_at IS NULL OR b.expires_at > :now) AND n.next_at IS NOT NULL
  UNION
  SELECT n.id, n.contact_id FROM blacklist b JOIN campaigns k ON k.id = :campaign_id AND b.campaign IN ('*', k.name)
  CROSS JOIN numbers n ON n.number >= rtrim(b.number, '*') AND n.number < rtrim(b.number, '*') || ':'
  WHERE b.number LIKE '%*' AND length(b.number) > :shortest AND (b.expires_at IS NULL OR b.expires_at > :now)
    AND n.next_at IS NOT NULL
)
SELECT p.zones, p.bucket,
  CASE WHEN c.state = 'ready' OR c.next_at <= :now THEN 0
    ELSE min(c.next_at / :step * :step, :horizon) END AS at, count(*) AS n
FROM (SELECT contact_id, count(*) AS numbers FROM barred GROUP BY contact_id) f
CROSS JOIN contacts c ON c.id = f.contact_id JOIN pools p ON p.id = c.pool_id
JOIN uploads u ON u.id = p.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.state IN ('ready', 'waiting')
  AND f.numbers = (SELECT count(*) FROM numbers n WHERE n.contact_id = c.id AND n.next_at IS NOT NULL)
GROUP BY 1, 2, 3

-- name: count_duplicates
SELECT coalesce(sum(n - 1), 0) AS n FROM (
  SELECT count(*) AS n FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
  WHERE c.campaign_id = :campaign_id AND c.state <> 'done' GROUP BY c.main_number HAVING count(*) > 1)

-- name: open_numbers
SELECT n.contact_id, n.number, n.zones
FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
CROSS JOIN numbers n ON n.contact_id = c.id
WHERE c.campaign_id = :campaign_id AND c.state <> 'done' AND n.next_at IS NOT NULL

-- name: blacklist
SELECT number, campaign, reason, added_by, added_at, expires_at FROM blacklist
WHERE (number, campaign) > (:after_number, :after_campaign) AND (:campaign IS NULL OR campaign = :campaign)
  AND (:tenant IS NULL OR campaign = '*' OR campaign IN (SELECT name FROM campaigns WHERE tenant = :tenant))
ORDER BY number, campaign LIMIT :limit

-- name: barring
SELECT number, campaign, reason, added_by, added_at, expires_at FROM blacklist
WHERE number IN (SELECT value FROM json_each(:numbers)) AND (:campaign IS NULL OR campaign IN ('*', :campaign))
  AND (expires_at IS NULL OR expires_at > :now) ORDER BY number, campaign

-- name: known_entries
SELECT count(*) AS n FROM json_each(:keys) j
JOIN blacklist b ON b.number = j.value ->> 0 AND b.campaign = j.value ->> 1

-- name: add_to_blacklist
INSERT INTO blacklist (number, campaign, reason, added_by, added_at, expires_at)
VALUES (:number, :campaign, :reason, :added_by, :added_at, :expires_at)
ON CONFLICT (number, campaign) DO UPDATE SET reason = excluded.reason, added_by = excluded.added_by,
  added_at = excluded.added_at, expires_at = excluded.expires_at
WHERE blacklist.expires_at IS NOT NULL
  AND (excluded.expires_at IS NULL OR excluded.expires_at > blacklist.expires_at)

-- name: pending_recordings
SELECT count(*) AS n FROM recordings INDEXED BY recordings_pending WHERE state = 'pending'
