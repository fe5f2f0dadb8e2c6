-- name: zones
SELECT DISTINCT b.timezone FROM uploads u JOIN bases b ON b.id = u.base_id
WHERE u.campaign_id = :campaign_id AND u.state = 'published'

-- name: claimable_uploads
SELECT u.id, b.name AS base FROM uploads u JOIN bases b ON b.id = u.base_id
WHERE u.campaign_id = :campaign_id AND u.state = 'published'
  AND b.timezone IN (SELECT value FROM json_each(:zones))
  AND EXISTS (SELECT 1 FROM contact_counts n WHERE n.upload_id = u.id AND n.state IN ('ready', 'waiting') AND n.n > 0)

-- name: promote
UPDATE contacts SET state = 'ready', next_at = NULL WHERE id IN (
  SELECT id FROM contacts INDEXED BY contacts_waiting
  WHERE upload_id = :upload_id AND state = 'waiting' AND next_at <= :now ORDER BY next_at LIMIT :limit)

-- name: ready_contacts
SELECT id, campaign_id, base_id, params, priority, agentphone, line, end_reason, 0 AS next_at
FROM contacts INDEXED BY contacts_ready
WHERE upload_id = :upload_id AND state = 'ready' ORDER BY priority, id LIMIT :limit

-- name: contacts_by_id
SELECT id, campaign_id, base_id, params, priority, agentphone, line, end_reason, next_at
FROM contacts WHERE id IN (SELECT value FROM json_each(:ids))

-- name: numbers_of
SELECT contact_id, id, number, as_uploaded, type, position, tally, last_disposition, next_at, end_reason
FROM numbers WHERE contact_id IN (SELECT value FROM json_each(:ids)) ORDER BY contact_id, position

-- name: blacklisted
SELECT number FROM blacklist
WHERE number IN (SELECT value FROM json_each(:numbers)) AND campaign IN ('*', :campaign)

-- name: live_numbers
SELECT number FROM attempts INDEXED BY attempts_live
WHERE state <> 'closed' AND number IN (SELECT value FROM json_each(:numbers))

-- name: take_contact
UPDATE contacts SET state = 'in_call', next_at = NULL WHERE id = :id AND state = 'ready'

-- name: settle_contact
UPDATE contacts SET state = :state, next_at = :next_at, end_reason = :end_reason WHERE id = :id

-- name: save_number
UPDATE numbers SET tally = :tally, last_disposition = :last_disposition, next_at = :next_at,
  end_reason = :end_reason WHERE id = :id

-- name: close_attempt
UPDATE attempts SET state = 'closed', disposition = :disposition, closed_at = :now WHERE id = :id

-- name: still_open
SELECT id FROM attempts WHERE id IN (SELECT value FROM json_each(:ids)) AND state <> 'closed'

-- name: count_disposition
INSERT INTO disposition_counts VALUES (:campaign_id, :disposition, 1)
ON CONFLICT DO UPDATE SET n = n + 1

-- name: queue_recording
INSERT INTO recordings (attempt_id, date, state, retry_at) VALUES (:id, :date, 'pending', :now)
ON CONFLICT DO NOTHING

-- name: open_attempts
SELECT a.*, b.name AS base FROM attempts a INDEXED BY attempts_live
JOIN contacts c ON c.id = a.contact_id JOIN bases b ON b.id = c.base_id
WHERE a.state <> 'closed' AND (:server IS NULL OR a.server = :server)

-- name: contact_counts
SELECT n.state, sum(n.n) AS n FROM contact_counts n JOIN uploads u ON u.id = n.upload_id
WHERE u.campaign_id = :campaign_id AND u.state = 'published' GROUP BY n.state

-- name: next_due
SELECT min((SELECT c.next_at FROM contacts c INDEXED BY contacts_waiting
            WHERE c.upload_id = u.id AND c.state = 'waiting' ORDER BY c.next_at LIMIT 1)) AS next_at
FROM uploads u WHERE u.campaign_id = :campaign_id AND u.state = 'published'

-- name: disposition_counts
SELECT disposition, n FROM disposition_counts WHERE campaign_id = :campaign_id ORDER BY disposition

-- name: due_recordings
SELECT attempt_id, date, tries FROM recordings INDEXED BY recordings_pending
WHERE state = 'pending' AND retry_at <= :now ORDER BY retry_at LIMIT :limit

-- name: recording_done
UPDATE recordings SET state = :state, path = :path, duration_s = :duration_s, error = '', tries = tries + 1
WHERE attempt_id = :attempt_id

-- name: recording_failed
UPDATE recordings SET state = :state, error = :error, retry_at = coalesce(:retry_at, retry_at), tries = tries + 1
WHERE attempt_id = :attempt_id

-- name: publish_live_view
INSERT INTO live_views VALUES (:engine, :now, :body)
ON CONFLICT (engine) DO UPDATE SET written_at = excluded.written_at, body = excluded.body

-- name: withdraw_live_view
DELETE FROM live_views WHERE engine = :engine

-- name: insert_attempt
INSERT INTO attempts (
  id, campaign_id, contact_id, number_id, number, trunk, server, created_at, reason, state, dialed_at, ringing_at,
  answered_at, connected_at, talk_ended_at, gone_at, channel, refusal, uncounted, originate_ended_at,
  originate_success, originate_reason, adopted, vanished, canceled, dial_status, cause, sip_code, leg_dial_status,
  leg_cause, leg_sip_code, amd_verdict, amd_cause, action, action_at, agent, agent_ring_s, talk_ended_by,
  contact_hung_up, concluded, result, queue_status, key
) VALUES (
  :id, :campaign_id, :contact_id, :number_id, :number, :trunk, :server, :created_at, :reason, :state, :dialed_at,
  :ringing_at, :answered_at, :connected_at, :talk_ended_at, :gone_at, :channel, :refusal, :uncounted,
  :originate_ended_at, :originate_success, :originate_reason, :adopted, :vanished, :canceled, :dial_status, :cause,
  :sip_code, :leg_dial_status, :leg_cause, :leg_sip_code, :amd_verdict, :amd_cause, :action, :action_at, :agent,
  :agent_ring_s, :talk_ended_by, :contact_hung_up, :concluded, :result, :queue_status, :key
)

-- name: save_attempt
UPDATE attempts SET
  state = :state, dialed_at = :dialed_at, ringing_at = :ringing_at, answered_at = :answered_at, connected_at =
  :connected_at, talk_ended_at = :talk_ended_at, gone_at = :gone_at, channel = :channel, refusal = :refusal,
  uncounted = :uncounted, originate_ended_at = :originate_ended_at, originate_success = :originate_success,
  originate_reason = :originate_reason, adopted = :adopted, vanished = :vanished, canceled = :canceled, dial_status
  = :dial_status, cause = :cause, sip_code = :sip_code, leg_dial_status = :leg_dial_status, leg_cause = :leg_cause,
  leg_sip_code = :leg_sip_code, amd_verdict = :amd_verdict, amd_cause = :amd_cause, action = :action, action_at =
  :action_at, agent = :agent, agent_ring_s = :agent_ring_s, talk_ended_by = :talk_ended_by, contact_hung_up =
  :contact_hung_up, concluded = :concluded, result = :result, queue_status = :queue_status, key = :key
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
