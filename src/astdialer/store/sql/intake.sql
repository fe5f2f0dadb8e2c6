-- name: contacts_by_main
SELECT c.id, c.main_number FROM bases b CROSS JOIN contacts c ON c.base_id = b.id
WHERE b.campaign_id = :campaign_id AND b.name = :base AND c.rank = 2 AND c.repeatable = 0
  AND c.main_number IN (SELECT value FROM json_each(:numbers))

-- name: contacts_by_references
SELECT id, reference FROM contacts
WHERE campaign_id = :campaign_id AND reference <> '' AND reference IN (SELECT value FROM json_each(:references))

-- name: unfinished_of_job
SELECT u.id, u.campaign_id, c.name AS campaign, u.base_id, b.name AS base, b.timezone
FROM uploads u JOIN bases b ON b.id = u.base_id JOIN campaigns c ON c.id = u.campaign_id
WHERE u.job = :job AND u.job <> '' AND u.state <> 'published'

-- name: added_by_job
SELECT c.name AS campaign, sum(n.n) AS n
FROM uploads u JOIN campaigns c ON c.id = u.campaign_id JOIN pools p ON p.upload_id = u.id
JOIN contact_counts n ON n.pool_id = p.id
WHERE u.job = :job AND u.job <> '' AND u.state = 'published' GROUP BY c.name
