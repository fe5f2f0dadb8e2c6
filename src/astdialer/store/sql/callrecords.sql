-- Four queries that differ by nothing but the index they read, from where the span of time begins and no further than
-- the page needs, but for that of agents, who may be several: it reads all of their calls in the span. SQLite does not
-- choose an index by what a parameter holds. The local time of day is that of the last offset that had begun.

-- name: call_record_page
SELECT c.guid FROM cdrs c INDEXED BY cdrs_by_date
WHERE c.calldate >= :from_at AND c.calldate < :to_at
  AND (:campaigns IS NULL OR c.campaign IN (SELECT value FROM json_each(:campaigns)))
  AND (:agents IS NULL OR c.agent IN (SELECT value FROM json_each(:agents)))
  AND (:source IS NULL OR ltrim(c.src, '+') = :source)
  AND (:excluded IS NULL OR c.dst <> :excluded)
  AND (:shortest_s IS NULL OR c.duration >= :shortest_s)
  AND (:tag IS NULL OR EXISTS (
    SELECT 1 FROM attempts a WHERE a.id = c.guid AND instr(lower(a.tag), lower(:tag)) > 0))
  AND (:day_start IS NULL OR (c.calldate - :day_start + 86400000 + (
    SELECT o.value ->> 1 FROM json_each(:offsets) o WHERE o.value ->> 0 <= c.calldate ORDER BY o.key DESC LIMIT 1
  )) % 86400000 < :day_length)
  AND (:calls_at_least IS NULL OR c.dst IN (
    SELECT o.dst FROM cdrs o WHERE o.calldate >= :from_at AND o.calldate < :to_at
      AND (:campaigns IS NULL OR o.campaign IN (SELECT value FROM json_each(:campaigns)))
    GROUP BY o.dst HAVING count(*) >= :calls_at_least))
ORDER BY c.calldate, c.guid LIMIT :limit OFFSET :offset

-- name: call_record_page_of_number
SELECT c.guid FROM cdrs c INDEXED BY cdrs_by_number
WHERE c.dst = :number AND c.calldate >= :from_at AND c.calldate < :to_at
  AND (:campaigns IS NULL OR c.campaign IN (SELECT value FROM json_each(:campaigns)))
  AND (:agents IS NULL OR c.agent IN (SELECT value FROM json_each(:agents)))
  AND (:source IS NULL OR ltrim(c.src, '+') = :source)
  AND (:excluded IS NULL OR c.dst <> :excluded)
  AND (:shortest_s IS NULL OR c.duration >= :shortest_s)
  AND (:tag IS NULL OR EXISTS (
    SELECT 1 FROM attempts a WHERE a.id = c.guid AND instr(lower(a.tag), lower(:tag)) > 0))
  AND (:day_start IS NULL OR (c.calldate - :day_start + 86400000 + (
    SELECT o.value ->> 1 FROM json_each(:offsets) o WHERE o.value ->> 0 <= c.calldate ORDER BY o.key DESC LIMIT 1
  )) % 86400000 < :day_length)
  AND (:calls_at_least IS NULL OR c.dst IN (
    SELECT o.dst FROM cdrs o WHERE o.calldate >= :from_at AND o.calldate < :to_at
      AND (:campaigns IS NULL OR o.campaign IN (SELECT value FROM json_each(:campaigns)))
    GROUP BY o.dst HAVING count(*) >= :calls_at_least))
ORDER BY c.calldate, c.guid LIMIT :limit OFFSET :offset

-- name: call_record_page_of_campaign
SELECT c.guid FROM cdrs c INDEXED BY cdrs_by_campaign
WHERE c.campaign = :campaign AND c.calldate >= :from_at AND c.calldate < :to_at
  AND (:campaigns IS NULL OR c.campaign IN (SELECT value FROM json_each(:campaigns)))
  AND (:agents IS NULL OR c.agent IN (SELECT value FROM json_each(:agents)))
  AND (:source IS NULL OR ltrim(c.src, '+') = :source)
  AND (:excluded IS NULL OR c.dst <> :excluded)
  AND (:shortest_s IS NULL OR c.duration >= :shortest_s)
  AND (:tag IS NULL OR EXISTS (
    SELECT 1 FROM attempts a WHERE a.id = c.guid AND instr(lower(a.tag), lower(:tag)) > 0))
  AND (:day_start IS NULL OR (c.calldate - :day_start + 86400000 + (
    SELECT o.value ->> 1 FROM json_each(:offsets) o WHERE o.value ->> 0 <= c.calldate ORDER BY o.key DESC LIMIT 1
  )) % 86400000 < :day_length)
  AND (:calls_at_least IS NULL OR c.dst IN (
    SELECT o.dst FROM cdrs o WHERE o.calldate >= :from_at AND o.calldate < :to_at
      AND (:campaigns IS NULL OR o.campaign IN (SELECT value FROM json_each(:campaigns)))
    GROUP BY o.dst HAVING count(*) >= :calls_at_least))
ORDER BY c.calldate, c.guid LIMIT :limit OFFSET :offset

-- name: call_record_page_of_agents
SELECT c.guid FROM cdrs c INDEXED BY cdrs_by_agent
WHERE c.agent IN (SELECT value FROM json_each(:agents)) AND c.agent <> '' AND c.calldate >= :from_at AND c.calldate < :to_at
  AND (:campaigns IS NULL OR c.campaign IN (SELECT value FROM json_each(:campaigns)))
  AND (:source IS NULL OR ltrim(c.src, '+') = :source)
  AND (:excluded IS NULL OR c.dst <> :excluded)
  AND (:shortest_s IS NULL OR c.duration >= :shortest_s)
  AND (:tag IS NULL OR EXISTS (
    SELECT 1 FROM contacts k WHERE k.id = c.contact_id AND instr(lower(k.tag), lower(:tag)) > 0))
  AND (:day_start IS NULL OR (c.calldate - :day_start + 86400000 + (
    SELECT o.value ->> 1 FROM json_each(:offsets) o WHERE o.value ->> 0 <= c.calldate ORDER BY o.key DESC LIMIT 1
  )) % 86400000 < :day_length)
  AND (:calls_at_least IS NULL OR c.dst IN (
    SELECT o.dst FROM cdrs o WHERE o.calldate >= :from_at AND o.calldate < :to_at
      AND (:campaigns IS NULL OR o.campaign IN (SELECT value FROM json_each(:campaigns)))
    GROUP BY o.dst HAVING count(*) >= :calls_at_least))
ORDER BY c.calldate, c.guid LIMIT :limit OFFSET :offset

-- name: call_records
SELECT i.id, c.*, a.gone_at, a.reserved_agent, n.as_uploaded, a.tag, k.params,
  (SELECT json_group_array(json_array(o.type, o.number, o.as_uploaded, o.priority, o.description)) FROM (
    SELECT * FROM numbers WHERE contact_id = c.contact_id AND id <> a.number_id ORDER BY position) o) AS others
FROM json_each(:guids) g CROSS JOIN cdrs c ON c.guid = g.value JOIN cdr_ids i ON i.guid = c.guid
LEFT JOIN attempts a ON a.id = c.guid LEFT JOIN numbers n ON n.id = a.number_id
LEFT JOIN contacts k ON k.id = c.contact_id
ORDER BY c.calldate, c.guid

-- name: call_record_span
SELECT (SELECT min(calldate) FROM cdrs) AS first, (SELECT max(calldate) FROM cdrs) AS last

-- name: called_agents
SELECT DISTINCT agent FROM agent_days ORDER BY agent

-- name: live_call_of_agents
SELECT id FROM attempts INDEXED BY attempts_live
WHERE state <> 'closed' AND (agent IN (SELECT value FROM json_each(:agents))
  OR reserved_agent IN (SELECT value FROM json_each(:agents)))
ORDER BY created_at DESC LIMIT 1

-- name: last_call_of_agents
SELECT (SELECT c.guid FROM cdrs c INDEXED BY cdrs_by_agent WHERE c.agent <> '' AND c.agent = j.value
  ORDER BY c.calldate DESC LIMIT 1) AS guid,
  (SELECT max(c.calldate) FROM cdrs c INDEXED BY cdrs_by_agent WHERE c.agent <> '' AND c.agent = j.value) AS at
FROM json_each(:agents) j WHERE guid IS NOT NULL ORDER BY at DESC LIMIT 1
