-- name: add_token
INSERT INTO tokens (id, name, role, tenant, agent, hash, key_hash, parent, created_at, created_by, expires_at,
  revoked_at)
VALUES (:id, :name, :role, :tenant, :agent, :hash, :key_hash, :parent, :created_at, :created_by, :expires_at,
  :revoked_at)

-- name: good_token_named
SELECT 1 FROM tokens WHERE name = :name AND parent = '' AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > :now)

-- name: token_by_hash
SELECT * FROM tokens WHERE hash = :hash

-- name: tokens
SELECT * FROM tokens WHERE parent = '' AND (:tenant IS NULL OR tenant = :tenant) ORDER BY name, created_at

-- name: revoke_token
UPDATE tokens SET revoked_at = :now
WHERE (id = :id OR (parent = :id AND parent <> '')) AND revoked_at IS NULL

-- name: is_good_parent
SELECT 1 FROM tokens WHERE id = :parent AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :created_at)

-- name: forget_ended_sessions
DELETE FROM tokens WHERE parent <> '' AND expires_at < :before

-- name: forget_oldest_sessions
DELETE FROM tokens WHERE id IN (
  SELECT id FROM tokens INDEXED BY tokens_of_parent WHERE parent = :parent AND parent <> ''
  ORDER BY created_at DESC LIMIT -1 OFFSET :most)
