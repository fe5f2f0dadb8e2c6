-- name: campaigns
SELECT id, name, state, settings, hang_up, explanation, tenant FROM campaigns WHERE removed_at IS NULL
ORDER BY name

-- name: campaign
SELECT id, name, state, settings, hang_up, explanation, tenant FROM campaigns
WHERE name = :name AND removed_at IS NULL

-- name: campaign_by_id
SELECT id, name, state, settings, hang_up, explanation, tenant FROM campaigns
WHERE id = :id AND removed_at IS NULL

-- name: create_campaign
INSERT INTO campaigns (name, state, settings, created_at, changed_at, tenant)
VALUES (:name, 'idle', :settings, :now, :now, :tenant)

-- name: save_settings
UPDATE campaigns SET settings = :settings WHERE id = :id

-- name: set_state
UPDATE campaigns SET state = :state, hang_up = :hang_up, explanation = :explanation, changed_at = :now WHERE id = :id

-- name: finish_campaign
-- Only if nobody has been added, nor has anybody moved it, since that was found out.
UPDATE campaigns SET state = 'finished', hang_up = 0, explanation = :explanation, changed_at = :now
WHERE id = :id AND state = 'running' AND NOT EXISTS (
  SELECT 1 FROM pools p JOIN uploads u ON u.id = p.upload_id AND u.state = 'published'
  JOIN contact_counts n ON n.pool_id = p.id AND n.state IN ('ready', 'waiting', 'in_call', 'held') AND n.n > 0
  WHERE p.campaign_id = :id)

-- name: named_in_settings
SELECT name, json_extract(settings, '$.' || :setting) AS names FROM campaigns
WHERE json_extract(settings, '$.' || :setting) IS NOT NULL AND removed_at IS NULL ORDER BY name

-- name: trunks
SELECT name, dial, server, max_calls, calls_per_second, enabled, caller_id FROM trunks ORDER BY name

-- name: save_trunk
INSERT INTO trunks (name, dial, server, max_calls, calls_per_second, enabled, caller_id)
VALUES (:name, :dial, :server, :max_calls, :calls_per_second, :enabled, :caller_id)
ON CONFLICT (name) DO UPDATE SET dial = excluded.dial, server = excluded.server, max_calls = excluded.max_calls,
  calls_per_second = excluded.calls_per_second, enabled = excluded.enabled, caller_id = excluded.caller_id

-- name: remove_trunk
DELETE FROM trunks WHERE name = :name

-- name: routes
SELECT body FROM routes ORDER BY name

-- name: save_route
INSERT INTO routes (name, body) VALUES (:name, :body) ON CONFLICT (name) DO UPDATE SET body = excluded.body

-- name: remove_route
DELETE FROM routes WHERE name = :name

-- name: calendars
SELECT body FROM calendars ORDER BY name

-- name: add_calendar
INSERT INTO calendars (name, body) VALUES (:name, :body) ON CONFLICT (name) DO NOTHING

-- name: save_calendar
INSERT INTO calendars (name, body) VALUES (:name, :body) ON CONFLICT (name) DO UPDATE SET body = excluded.body

-- name: remove_calendar
DELETE FROM calendars WHERE name = :name

-- name: caller_id_pools
SELECT name, numbers FROM caller_id_pools ORDER BY name

-- name: save_caller_id_pool
INSERT INTO caller_id_pools (name, numbers) VALUES (:name, :numbers)
ON CONFLICT (name) DO UPDATE SET numbers = excluded.numbers

-- name: remove_caller_id_pool
DELETE FROM caller_id_pools WHERE name = :name

-- name: agents
SELECT body FROM agents ORDER BY agent

-- name: save_agent
INSERT INTO agents (agent, body) VALUES (:name, :body) ON CONFLICT (agent) DO UPDATE SET body = excluded.body

-- name: remove_agent
DELETE FROM agents WHERE agent = :name

-- name: add_event
INSERT INTO campaign_events (campaign_id, at, event, detail, done_by)
VALUES (:campaign_id, :at, :event, :detail, :done_by)

-- name: history
SELECT at, event, detail, done_by FROM campaign_events WHERE campaign_id = :campaign_id ORDER BY id DESC LIMIT :limit

-- name: forget_dispositions
DELETE FROM disposition_counts WHERE campaign_id = :campaign_id

-- name: set_stats_day
UPDATE campaigns SET stats_day = :day WHERE id = :campaign_id

-- name: stats_day
SELECT stats_day FROM campaigns WHERE id = :campaign_id
