-- name: campaigns
SELECT id, name, state, settings, hang_up, explanation FROM campaigns ORDER BY name

-- name: campaign
SELECT id, name, state, settings, hang_up, explanation FROM campaigns WHERE name = :name

-- name: create_campaign
INSERT INTO campaigns (name, state, settings, created_at, changed_at) VALUES (:name, 'idle', :settings, :now, :now)

-- name: save_settings
UPDATE campaigns SET settings = :settings WHERE id = :id

-- name: set_state
UPDATE campaigns SET state = :state, hang_up = :hang_up, explanation = :explanation, changed_at = :now WHERE id = :id

-- name: trunks
SELECT name, dial, server, max_calls, calls_per_second, enabled FROM trunks ORDER BY name

-- name: save_trunk
INSERT INTO trunks (name, dial, server, max_calls, calls_per_second, enabled)
VALUES (:name, :dial, :server, :max_calls, :calls_per_second, :enabled)
ON CONFLICT (name) DO UPDATE SET dial = excluded.dial, server = excluded.server, max_calls = excluded.max_calls,
  calls_per_second = excluded.calls_per_second, enabled = excluded.enabled

-- name: remove_trunk
DELETE FROM trunks WHERE name = :name
