-- name: zones
SELECT DISTINCT p.zones FROM pools p JOIN uploads u ON u.id = p.upload_id
WHERE p.campaign_id = :campaign_id AND u.state = 'published'

-- name: claimable_pools
SELECT p.id, p.zones, p.bucket, b.name AS base
FROM pools p JOIN uploads u ON u.id = p.upload_id JOIN bases b ON b.id = u.base_id
WHERE p.campaign_id = :campaign_id AND p.bucket IN (SELECT value FROM json_each(:buckets)) AND u.state = 'published'
  AND EXISTS (SELECT 1 FROM contact_counts n WHERE n.pool_id = p.id AND n.state IN ('ready', 'waiting') AND n.n > 0)

-- name: bound_buckets
SELECT DISTINCT p.bucket FROM pools p JOIN uploads u ON u.id = p.upload_id
WHERE p.campaign_id = :campaign_id AND p.bucket <> '' AND u.state = 'published'
  AND EXISTS (SELECT 1 FROM contact_counts n WHERE n.pool_id = p.id AND n.state IN ('ready', 'waiting') AND n.n > 0)

-- name: promote
-- Of each pool and rank on its own, though in one statement: SQLite has no lateral join, hence the arrays.
UPDATE contacts SET state = 'ready', next_at = NULL, deferred = 0, why = '' WHERE id IN (
  SELECT due.value FROM json_each(:pools) p CROSS JOIN json_each('[0, 1, 2]') r
  CROSS JOIN json_each((SELECT json_group_array(id) FROM (SELECT id FROM contacts INDEXED BY contacts_waiting
    WHERE pool_id = p.value AND state = 'waiting' AND rank = r.value AND next_at <= :now
    ORDER BY next_at LIMIT :limit))) due)

-- name: ready
-- SQLite seeks no (priority, id) > (?, ?) in an index when id is the rowid: hence two selects in place of each.
-- Each pool's head is an array of its own: SQLite has no lateral join.
SELECT (SELECT json_group_array(json_array(id, rank, last_call_at, priority)) FROM (
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0 AND last_call_at = 0
      AND priority = :priority_new_0 AND id > :id_new_0 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0 AND last_call_at = 0
      AND priority > :priority_new_0 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0 AND last_call_at > 0
      AND priority = :priority_again_0 AND id > :id_again_0 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0 AND last_call_at > 0
      AND priority > :priority_again_0 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1 AND last_call_at = 0
      AND priority = :priority_new_1 AND id > :id_new_1 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1 AND last_call_at = 0
      AND priority > :priority_new_1 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1 AND last_call_at > 0
      AND priority = :priority_again_1 AND id > :id_again_1 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1 AND last_call_at > 0
      AND priority > :priority_again_1 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2 AND last_call_at = 0
      AND priority = :priority_new_2 AND id > :id_new_2 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2 AND last_call_at = 0
      AND priority > :priority_new_2 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2 AND last_call_at > 0
      AND priority = :priority_again_2 AND id > :id_again_2 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_again
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2 AND last_call_at > 0
      AND priority > :priority_again_2 ORDER BY priority, id LIMIT :limit))) AS head
FROM json_each(:pools) p
WHERE EXISTS (SELECT 1 FROM contact_counts n WHERE n.pool_id = p.value AND n.state = 'ready' AND n.n > 0)

-- name: ready_by_last_call
SELECT (SELECT json_group_array(json_array(id, rank, last_call_at, priority)) FROM (
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0
      AND last_call_at = :last_call_at_0 AND priority = :priority_0 AND id > :id_0 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0
      AND last_call_at = :last_call_at_0 AND priority > :priority_0 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 0
      AND last_call_at > :last_call_at_0 ORDER BY last_call_at, priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1
      AND last_call_at = :last_call_at_1 AND priority = :priority_1 AND id > :id_1 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1
      AND last_call_at = :last_call_at_1 AND priority > :priority_1 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 1
      AND last_call_at > :last_call_at_1 ORDER BY last_call_at, priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2
      AND last_call_at = :last_call_at_2 AND priority = :priority_2 AND id > :id_2 ORDER BY id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2
      AND last_call_at = :last_call_at_2 AND priority > :priority_2 ORDER BY priority, id LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT id, rank, last_call_at, priority FROM contacts INDEXED BY contacts_ready
    WHERE pool_id = p.value AND state = 'ready' AND rank = 2
      AND last_call_at > :last_call_at_2 ORDER BY last_call_at, priority, id LIMIT :limit))) AS head
FROM json_each(:pools) p
WHERE EXISTS (SELECT 1 FROM contact_counts n WHERE n.pool_id = p.value AND n.state = 'ready' AND n.n > 0)

-- name: contacts_by_id
SELECT * FROM contacts WHERE id IN (SELECT value FROM json_each(:ids))

-- name: contact_with_base
SELECT c.*, b.name AS base FROM contacts c JOIN bases b ON b.id = c.base_id
JOIN uploads u ON u.id = c.upload_id AND u.state = 'published' WHERE c.id = :id

-- name: numbers_of
SELECT * FROM numbers WHERE contact_id IN (SELECT value FROM json_each(:ids)) ORDER BY contact_id, position

-- name: blacklisted
SELECT number, expires_at FROM blacklist
WHERE number IN (SELECT value FROM json_each(:numbers)) AND campaign IN ('*', :campaign)
  AND (expires_at IS NULL OR expires_at > :now)

-- name: live_numbers
SELECT number FROM attempts INDEXED BY attempts_live
WHERE state <> 'closed' AND number IN (SELECT value FROM json_each(:numbers))

-- name: placed_attempts
SELECT number, dialed_at, disposition FROM attempts INDEXED BY attempts_by_number
WHERE number IN (SELECT value FROM json_each(:numbers)) AND created_at > :since
  AND dialed_at IS NOT NULL AND refusal = '' ORDER BY number, created_at

-- name: save_contact
UPDATE contacts SET
  state = :state, rank = :rank, priority = :priority, tries = :tries, last_call_at = :last_call_at, next_at =
  :next_at, expires_at = :expires_at, any_hour = :any_hour, preferred = :preferred, held_until = :held_until, held =
  :held, params = :params, agentphone = :agentphone, bucket = :bucket, tag = :tag, successful = :successful,
  end_reason = :end_reason, end_cause = :end_cause, deferred = :deferred, why = :why, ended_at = :ended_at,
  changed_at = :changed_at
WHERE id = :id

-- name: save_number
UPDATE numbers SET
  as_uploaded = :as_uploaded, type = :type, position = :position, priority = :priority, description = :description,
  zones = :zones, tally = :tally, tries = :tries, range_tally = :range_tally, last_disposition = :last_disposition,
  last_call_at = :last_call_at, next_at = :next_at, end_reason = :end_reason
WHERE id = :id

-- name: insert_number
INSERT INTO numbers (
  contact_id, number, as_uploaded, type, position, priority, description, zones, tally, tries, range_tally,
  last_disposition, last_call_at, next_at, end_reason
) VALUES (
  :contact_id, :number, :as_uploaded, :type, :position, :priority, :description, :zones, :tally, :tries,
  :range_tally, :last_disposition, :last_call_at, :next_at, :end_reason
)

-- name: upload_of_contact
SELECT upload_id FROM contacts WHERE id = :id

-- name: move_contact
UPDATE contacts SET pool_id = :pool_id WHERE id = :id

-- name: make_pool
INSERT INTO pools (upload_id, campaign_id, zones, bucket) VALUES (:upload_id, :campaign_id, :zones, :bucket)
ON CONFLICT DO NOTHING

-- name: pool
SELECT id FROM pools WHERE upload_id = :upload_id AND zones = :zones AND bucket = :bucket

-- name: close_attempt
UPDATE attempts SET state = 'closed', disposition = :disposition, closed_at = :now WHERE id = :id

-- name: still_open
SELECT a.id, a.contact_id, c.ends_after_call FROM attempts a JOIN contacts c ON c.id = a.contact_id
WHERE a.id IN (SELECT value FROM json_each(:ids)) AND a.state <> 'closed'

-- name: count_disposition
INSERT INTO disposition_counts VALUES (:campaign_id, :disposition, 1)
ON CONFLICT DO UPDATE SET n = n + 1

-- name: count_agent
INSERT INTO agent_days (agent, campaign_id, day, offered, answered, talk_s)
VALUES (:agent, :campaign_id, :day, :offered, :answered, :talk_s)
ON CONFLICT (agent, campaign_id, day) DO UPDATE SET offered = offered + excluded.offered,
  answered = answered + excluded.answered, talk_s = talk_s + excluded.talk_s

-- name: queue_recording
INSERT INTO recordings (attempt_id, date, state, retry_at) VALUES (:id, :date, 'pending', :now)
ON CONFLICT DO NOTHING

-- name: open_attempts
SELECT a.*, b.name AS base FROM attempts a INDEXED BY attempts_live
JOIN contacts c ON c.id = a.contact_id JOIN bases b ON b.id = c.base_id
WHERE a.state <> 'closed' AND (:server IS NULL OR a.server = :server)

-- name: contact_counts
SELECT n.state, sum(n.n) AS n FROM pools p JOIN uploads u ON u.id = p.upload_id JOIN contact_counts n ON n.pool_id = p.id
WHERE p.campaign_id = :campaign_id AND u.state = 'published' GROUP BY n.state

-- name: next_due
SELECT min((SELECT min(first) FROM (
  SELECT min((SELECT c.next_at FROM contacts c INDEXED BY contacts_waiting
    WHERE c.pool_id = p.id AND c.state = 'waiting' AND c.rank = r.value ORDER BY c.next_at LIMIT 1)) AS first
  FROM json_each('[0, 1, 2]') r))) AS next_at
FROM pools p JOIN uploads u ON u.id = p.upload_id WHERE p.campaign_id = :campaign_id AND u.state = 'published'

-- name: disposition_counts
SELECT disposition, n FROM disposition_counts WHERE campaign_id = :campaign_id ORDER BY disposition

-- name: due_recordings
-- Settings are kept as texts, and only where they differ from the default.
SELECT r.attempt_id, r.date, r.tries, CAST(coalesce(k.settings ->> '$.record_trim_s', '0') AS INTEGER) AS trim_s
FROM recordings r INDEXED BY recordings_pending
LEFT JOIN attempts a ON a.id = r.attempt_id LEFT JOIN campaigns k ON k.id = a.campaign_id
WHERE r.state = 'pending' AND r.retry_at <= :now ORDER BY r.retry_at LIMIT :limit

-- name: recording_done
UPDATE recordings SET state = :state, path = :path, duration_s = :duration_s, error = '', tries = tries + 1,
  done_at = :done_at
WHERE attempt_id = :attempt_id

-- name: recording_failed
UPDATE recordings SET state = :state, error = :error, retry_at = coalesce(:retry_at, retry_at), tries = tries + 1
WHERE attempt_id = :attempt_id

-- name: publish_live_view
INSERT INTO live_views VALUES (:engine, :now, :body)
ON CONFLICT (engine) DO UPDATE SET written_at = excluded.written_at, body = excluded.body

-- name: learned
SELECT body, saved_at FROM learned WHERE campaign_id = :campaign_id

-- name: save_learned
INSERT INTO learned VALUES (:campaign_id, :now, :body)
ON CONFLICT (campaign_id) DO UPDATE SET saved_at = excluded.saved_at, body = excluded.body

-- name: first_call_at
SELECT min(calldate) AS at FROM cdrs WHERE campaign = :campaign AND calldate >= :from_at

-- name: withdraw_live_view
DELETE FROM live_views WHERE engine = :engine

-- name: insert_attempt
INSERT INTO attempts (
  id, campaign_id, contact_id, number_id, number, trunk, server, created_at, reason, dialed_as, caller_id,
  range_key, manual, reserved_agent, leg_id, state, dialed_at, ringing_at, answered_at, connected_at, talk_ended_at,
  gone_at, channel, refusal, uncounted, retry_s, originate_ended_at, originate_success, originate_reason, adopted,
  vanished, canceled, dial_status, cause, sip_code, leg_dial_status, leg_cause, leg_sip_code, amd_verdict,
  amd_cause, action, action_at, agent, agent_ring_s, talk_ended_by, contact_hung_up, concluded, result,
  queue_status, key
) VALUES (
  :id, :campaign_id, :contact_id, :number_id, :number, :trunk, :server, :created_at, :reason, :dialed_as,
  :caller_id, :range_key, :manual, :reserved_agent, :leg_id, :state, :dialed_at, :ringing_at, :answered_at,
  :connected_at, :talk_ended_at, :gone_at, :channel, :refusal, :uncounted, :retry_s, :originate_ended_at,
  :originate_success, :originate_reason, :adopted, :vanished, :canceled, :dial_status, :cause, :sip_code,
  :leg_dial_status, :leg_cause, :leg_sip_code, :amd_verdict, :amd_cause, :action, :action_at, :agent, :agent_ring_s,
  :talk_ended_by, :contact_hung_up, :concluded, :result, :queue_status, :key
)

-- name: save_attempt
UPDATE attempts SET
  dialed_as = :dialed_as, caller_id = :caller_id, range_key = :range_key, manual = :manual, reserved_agent =
  :reserved_agent, leg_id = :leg_id, state = :state, dialed_at = :dialed_at, ringing_at = :ringing_at, answered_at =
  :answered_at, connected_at = :connected_at, talk_ended_at = :talk_ended_at, gone_at = :gone_at, channel =
  :channel, refusal = :refusal, uncounted = :uncounted, retry_s = :retry_s, originate_ended_at =
  :originate_ended_at, originate_success = :originate_success, originate_reason = :originate_reason, adopted =
  :adopted, vanished = :vanished, canceled = :canceled, dial_status = :dial_status, cause = :cause, sip_code =
  :sip_code, leg_dial_status = :leg_dial_status, leg_cause = :leg_cause, leg_sip_code = :leg_sip_code, amd_verdict =
  :amd_verdict, amd_cause = :amd_cause, action = :action, action_at = :action_at, agent = :agent, agent_ring_s =
  :agent_ring_s, talk_ended_by = :talk_ended_by, contact_hung_up = :contact_hung_up, concluded = :concluded, result
  = :result, queue_status = :queue_status, key = :key
WHERE id = :id AND state <> 'closed'

-- name: insert_cdr
INSERT INTO cdrs (
  guid, calldate, clid, src, dst, dcontext, channel, dstchannel, lastapp, duration, billsec, disposition, uniqueid,
  linkedid, causecode, campaign, direction, carrier, dialerbase, accountcode, sip_code, dial_status, amd_verdict,
  amd_cause, agent, hung_up_by, keypress, queue, ring_s, wait_s, talk_s, server, contact_id
) VALUES (
  :guid, :calldate, :clid, :src, :dst, :dcontext, :channel, :dstchannel, :lastapp, :duration, :billsec,
  :disposition, :uniqueid, :linkedid, :causecode, :campaign, :direction, :carrier, :dialerbase, :accountcode,
  :sip_code, :dial_status, :amd_verdict, :amd_cause, :agent, :hung_up_by, :keypress, :queue, :ring_s, :wait_s,
  :talk_s, :server, :contact_id
) ON CONFLICT DO NOTHING

-- name: called_off
UPDATE contacts SET ends_after_call = '' WHERE id = :id AND ends_after_call <> ''

-- name: count_campaign_day
INSERT INTO campaign_days VALUES (:campaign_id, :day, :disposition, 1)
ON CONFLICT DO UPDATE SET n = n + 1

-- name: count_trunk_day
INSERT INTO trunk_days VALUES (:trunk, :day, :disposition, 1)
ON CONFLICT DO UPDATE SET n = n + 1
