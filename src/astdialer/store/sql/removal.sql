-- name: removed_campaign_named
SELECT id FROM campaigns WHERE name = :name AND removed_at IS NOT NULL

-- name: remove_campaign
UPDATE campaigns SET removed_at = :now, erased_to = 0
WHERE id = :id AND removed_at IS NULL AND state NOT IN ('running', 'paused', 'stopping')

-- name: live_call_of_campaign
SELECT id FROM attempts INDEXED BY attempts_live WHERE state <> 'closed' AND campaign_id = :id LIMIT 1

-- name: remove_uploads
UPDATE uploads SET state = CASE state WHEN 'published' THEN 'removed' ELSE 'discarding' END
WHERE campaign_id = :id AND state IN ('published', 'loading')

-- name: forget_learned
DELETE FROM learned WHERE campaign_id = :id

-- name: forget_totals
DELETE FROM disposition_counts WHERE campaign_id = :id

-- name: silence_webhooks
-- From here on nothing is added to what is removed.
UPDATE webhooks SET enabled = 0 WHERE campaign_id = :id

-- name: next_to_erase
SELECT id, erased_to FROM campaigns WHERE erased_to IS NOT NULL ORDER BY id LIMIT 1

-- name: erased_to
UPDATE campaigns SET erased_to = :erased_to WHERE id = :id

-- name: erase_deliveries
DELETE FROM deliveries WHERE seq IN (
  SELECT d.seq FROM webhooks w CROSS JOIN deliveries d ON d.webhook_id = w.id WHERE w.campaign_id = :id LIMIT :limit)

-- name: erase_history
DELETE FROM campaign_events WHERE id IN (SELECT id FROM campaign_events WHERE campaign_id = :id LIMIT :limit)

-- name: erase_webhooks
DELETE FROM webhooks WHERE campaign_id = :id

-- name: contacts_to_erase
SELECT * FROM contacts WHERE campaign_id = :id AND id > :erased_to ORDER BY id LIMIT :limit

-- name: removable_contacts
SELECT c.* FROM contacts c JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.id IN (SELECT value FROM json_each(:ids)) AND c.campaign_id = :campaign_id AND c.state <> 'in_call'

-- name: removed_upload
SELECT id FROM uploads WHERE campaign_id = :campaign_id AND state = 'removed' AND base_id = :base_id LIMIT 1

-- name: make_removed_upload
INSERT INTO uploads (base_id, campaign_id, file_name, state, started_at, touched_at)
VALUES (:base_id, :campaign_id, '', 'removed', :now, :now)

-- name: move_to_removed
UPDATE contacts SET upload_id = :upload_id, pool_id = :pool_id WHERE id IN (SELECT value FROM json_each(:ids))

-- name: erase_uncalled_numbers
DELETE FROM numbers WHERE contact_id IN (SELECT value FROM json_each(:ids))
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.contact_id = numbers.contact_id)

-- name: erase_uncalled_contacts
-- Not the last one: the next contact would get its id, and be taken for it.
DELETE FROM contacts WHERE id IN (SELECT value FROM json_each(:ids)) AND id < (SELECT max(id) FROM contacts)
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.contact_id = contacts.id)

-- name: erase_contacts
-- The main number of whoever was never called is nobody's business either. repeatable: another may have the number.
UPDATE contacts SET params = '{}', agentphone = '', bucket = '', tag = '', reference = '', preferred = '', repeatable = 1,
  main_number = CASE WHEN EXISTS (SELECT 1 FROM attempts a WHERE a.contact_id = contacts.id) THEN main_number ELSE '' END
WHERE id IN (SELECT value FROM json_each(:ids))

-- name: erase_descriptions
UPDATE numbers SET description = '' WHERE contact_id IN (SELECT value FROM json_each(:ids)) AND description <> ''

-- name: erase_call_tags
UPDATE attempts SET tag = '' WHERE contact_id IN (SELECT value FROM json_each(:ids)) AND tag <> ''

-- name: erase_documents
DELETE FROM foreign_objects
WHERE dialect = :dialect AND kind = :kind AND id IN (SELECT CAST(value AS TEXT) FROM json_each(:ids))
