-- name: contacts_of_numbers
SELECT c.id, c.main_number, u.state = 'published' AS is_published
FROM contacts c JOIN uploads u ON u.id = c.upload_id
WHERE c.base_id = :base_id AND c.rank = 2 AND c.repeatable = 0
  AND c.main_number IN (SELECT value FROM json_each(:numbers))

-- name: known_references
SELECT reference FROM contacts
WHERE campaign_id = :campaign_id AND reference <> '' AND reference IN (SELECT value FROM json_each(:references))

-- name: contact_by_reference
SELECT id FROM contacts WHERE campaign_id = :campaign_id AND reference = :reference AND reference <> ''

-- name: add_job
INSERT INTO upload_jobs (id, campaign_id, base, tenant, file_name, path, options, state, bytes, bytes_done, created_at,
  created_by, ended_at, report, error)
VALUES (:id, :campaign_id, :base, :tenant, :file_name, :path, :options, :state, :bytes, :bytes_done, :created_at,
  :created_by, :ended_at, :report, :error)

-- name: save_job
UPDATE upload_jobs SET state = :state, bytes_done = :bytes_done, ended_at = :ended_at, report = :report, error = :error
WHERE id = :id

-- name: job
SELECT * FROM upload_jobs WHERE id = :id

-- name: jobs
SELECT * FROM upload_jobs INDEXED BY upload_jobs_by_age
WHERE (:tenant IS NULL OR tenant = :tenant)
  AND created_at <= :last_at AND (created_at < :last_at OR id > :id)
ORDER BY created_at DESC, id LIMIT :limit

-- name: forget_jobs
DELETE FROM upload_jobs INDEXED BY upload_jobs_by_age
WHERE created_at < :before AND state IN ('done', 'failed')

-- name: open_jobs
SELECT * FROM upload_jobs INDEXED BY upload_jobs_open WHERE state IN ('waiting', 'loading') ORDER BY created_at, id

-- name: foreign
SELECT * FROM foreign_objects WHERE dialect = :dialect AND kind = :kind AND id = :id

-- name: foreign_by_name
SELECT * FROM foreign_objects WHERE dialect = :dialect AND kind = :kind AND name = :name ORDER BY created_at LIMIT 1

-- name: foreign_all
SELECT * FROM foreign_objects
WHERE dialect = :dialect AND kind = :kind AND (:tenant IS NULL OR tenant = :tenant) ORDER BY created_at, id

-- name: save_foreign
INSERT INTO foreign_objects (dialect, kind, id, tenant, name, body, created_at, changed_at)
VALUES (:dialect, :kind, :id, :tenant, :name, :body, :created_at, :changed_at)
ON CONFLICT (dialect, kind, id) DO UPDATE SET tenant = excluded.tenant, name = excluded.name, body = excluded.body,
  changed_at = excluded.changed_at

-- name: remove_foreign
DELETE FROM foreign_objects WHERE dialect = :dialect AND kind = :kind AND id = :id

-- name: kept_request
SELECT fingerprint, created_at, status, headers, coalesce(body, x'') AS body FROM idempotency
WHERE token_id = :token_id AND key = :key

-- name: begin_request
INSERT INTO idempotency (token_id, key, fingerprint, created_at) VALUES (:token_id, :key, :fingerprint, :now)

-- name: end_request
UPDATE idempotency SET status = :status, headers = :headers, body = :body WHERE token_id = :token_id AND key = :key

-- name: forget_request
DELETE FROM idempotency WHERE token_id = :token_id AND key = :key

-- name: forget_requests
DELETE FROM idempotency WHERE created_at < :before

-- name: documents
SELECT * FROM foreign_objects
WHERE dialect = :dialect AND kind = :kind AND id IN (SELECT value FROM json_each(:ids))
