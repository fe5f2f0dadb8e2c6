-- The dialing rules: pools of contacts by zone and agent, numbers with counters of their own, routes, calendars, agents,
-- statistics by day, orders to the engine. The runner turns foreign keys off meanwhile and checks them at the end.

DROP TRIGGER contact_state_changed;
DROP TRIGGER contact_removed;

CREATE TABLE campaigns_2 (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  state       TEXT NOT NULL
    CHECK (state IN ('idle', 'running', 'paused', 'stopping', 'stopped', 'finished', 'error')),
  settings    TEXT NOT NULL,           -- JSON object of setting → text, only what differs from the default
  hang_up     INTEGER NOT NULL DEFAULT 0,
  explanation TEXT NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL,
  stats_day   TEXT NOT NULL DEFAULT '' -- local day on which the statistics were last zeroed by themselves
) STRICT;
INSERT INTO campaigns_2 (id, name, state, settings, hang_up, explanation, created_at, changed_at)
SELECT id, name, state, settings, hang_up, explanation, created_at, changed_at FROM campaigns;
DROP TABLE campaigns;
ALTER TABLE campaigns_2 RENAME TO campaigns;

-- A pool is what the claim opens or leaves shut as a whole: contacts of one upload, in the same zones, for the same agents.
CREATE TABLE pools (
  id          INTEGER PRIMARY KEY,
  upload_id   INTEGER NOT NULL,
  campaign_id INTEGER NOT NULL,
  zones       TEXT NOT NULL,           -- alternatives joined by ;, each one or more zones joined by |; * is any
  bucket      TEXT NOT NULL,           -- '' anybody, '@1001' the agent of that extension, else a bucket's name
  UNIQUE (upload_id, zones, bucket)
) STRICT;
CREATE INDEX pools_of_campaign ON pools (campaign_id, bucket);
INSERT INTO pools (upload_id, campaign_id, zones, bucket)
SELECT DISTINCT c.upload_id, c.campaign_id, b.timezone, CASE c.agentphone WHEN '' THEN '' ELSE '@' || c.agentphone END
FROM contacts c JOIN bases b ON b.id = c.base_id;

CREATE TABLE contacts_2 (
  id              INTEGER PRIMARY KEY,
  upload_id       INTEGER NOT NULL,    -- not REFERENCES: SQLite would read all contacts when an upload is discarded
  base_id         INTEGER NOT NULL,
  campaign_id     INTEGER NOT NULL,
  pool_id         INTEGER NOT NULL,    -- likewise
  main_number     TEXT NOT NULL,
  state           TEXT NOT NULL        -- not IN: SQLite would make a table of the words for every row that is added
    CHECK (state = 'ready' OR state = 'waiting' OR state = 'in_call' OR state = 'held' OR state = 'done'),
  rank            INTEGER NOT NULL DEFAULT 2 CHECK (rank BETWEEN 0 AND 2),
  priority        INTEGER NOT NULL,
  tries           INTEGER NOT NULL DEFAULT 0,
  last_call_at    INTEGER NOT NULL DEFAULT 0,
  next_at         INTEGER,             -- waiting, held: when it is due
  deferred        INTEGER NOT NULL DEFAULT 0, -- waiting for a rule of the campaign, which may be changed
  why             TEXT NOT NULL DEFAULT '',   -- and that rule
  expires_at      INTEGER,
  any_hour        INTEGER NOT NULL DEFAULT 0,
  preferred       TEXT NOT NULL DEFAULT '',
  held_until      INTEGER,
  held            TEXT,                -- JSON: the attempt whose result is awaited
  ends_after_call TEXT NOT NULL DEFAULT '',   -- in_call: why it is to be done when the call is over
  params          TEXT NOT NULL,       -- JSON object
  agentphone      TEXT NOT NULL,
  bucket          TEXT NOT NULL DEFAULT '',
  line            INTEGER NOT NULL,    -- of the uploaded file
  tag             TEXT NOT NULL DEFAULT '',
  successful      INTEGER NOT NULL DEFAULT 0,
  end_reason      TEXT NOT NULL DEFAULT '',
  end_cause       TEXT NOT NULL DEFAULT '',
  ended_at        INTEGER
) STRICT;
INSERT INTO contacts_2 (id, upload_id, base_id, campaign_id, pool_id, main_number, state, priority, tries, last_call_at,
  next_at, params, agentphone, line, successful, end_reason, end_cause, ended_at)
SELECT c.id, c.upload_id, c.base_id, c.campaign_id, p.id, c.main_number, c.state, c.priority,
  (SELECT count(*) FROM attempts a WHERE a.contact_id = c.id AND a.disposition <> 'canceled' AND a.uncounted = 0),
  coalesce((SELECT max(a.closed_at) FROM attempts a
    WHERE a.contact_id = c.id AND a.disposition <> 'canceled' AND a.uncounted = 0), 0),
  c.next_at, c.params, c.agentphone, c.line, c.state = 'done' AND c.end_reason = 'answered', c.end_reason,
  CASE WHEN c.state <> 'done' THEN '' ELSE CASE c.end_reason WHEN 'answered' THEN 'NORMAL_CLEARING'
    WHEN 'abandoned' THEN 'ABANDONED' WHEN 'unknown' THEN 'PROCESS_CRASH' WHEN 'blacklisted' THEN 'NO_COMMUNICATIONS'
    ELSE 'MAX_TRY_COUNT' END END,
  CASE c.state WHEN 'done' THEN (SELECT max(a.closed_at) FROM attempts a WHERE a.contact_id = c.id) END
FROM contacts c JOIN bases b ON b.id = c.base_id JOIN pools p ON p.upload_id = c.upload_id AND p.zones = b.timezone
  AND p.bucket = CASE c.agentphone WHEN '' THEN '' ELSE '@' || c.agentphone END;
DROP TABLE contacts;
ALTER TABLE contacts_2 RENAME TO contacts;
CREATE UNIQUE INDEX contacts_main ON contacts (base_id, main_number) WHERE rank = 2;
-- The claim reads these from their start and no further: its cost does not grow with the base.
CREATE INDEX contacts_ready ON contacts (pool_id, rank, last_call_at, priority, id) WHERE state = 'ready';
CREATE INDEX contacts_again ON contacts (pool_id, rank, priority, id) WHERE state = 'ready' AND last_call_at > 0;
CREATE INDEX contacts_waiting ON contacts (pool_id, rank, next_at) WHERE state = 'waiting';
CREATE INDEX contacts_deferred ON contacts (pool_id) WHERE state = 'waiting' AND deferred = 1;
CREATE INDEX contacts_expiring ON contacts (expires_at) WHERE expires_at IS NOT NULL AND state IN ('ready', 'waiting');
CREATE INDEX contacts_held ON contacts (held_until) WHERE state = 'held';

CREATE TABLE numbers_2 (
  id               INTEGER PRIMARY KEY,
  contact_id       INTEGER NOT NULL REFERENCES contacts (id),
  position         INTEGER NOT NULL,
  number           TEXT NOT NULL,
  as_uploaded      TEXT NOT NULL,
  type             TEXT NOT NULL,      -- P, M, W, H, U or a code of the campaign's own
  priority         INTEGER NOT NULL DEFAULT 0,
  description      TEXT NOT NULL DEFAULT '',
  zones            TEXT NOT NULL DEFAULT '',
  tally            TEXT NOT NULL DEFAULT '{}',
  tries            INTEGER NOT NULL DEFAULT 0,
  range_tally      TEXT NOT NULL DEFAULT '{}',
  last_disposition TEXT NOT NULL DEFAULT '',
  last_call_at     INTEGER NOT NULL DEFAULT 0,
  next_at          INTEGER DEFAULT 0,  -- null: not dialed any more
  end_reason       TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO numbers_2 (id, contact_id, position, number, as_uploaded, type, zones, tally, tries, last_disposition,
  last_call_at, next_at, end_reason)
SELECT n.id, n.contact_id, n.position, n.number, n.as_uploaded, n.type, b.timezone, n.tally,
  coalesce((SELECT sum(value) FROM json_each(n.tally)), 0), n.last_disposition,
  coalesce((SELECT max(a.closed_at) FROM attempts a WHERE a.contact_id = n.contact_id AND a.number_id = n.id
    AND a.disposition <> 'canceled' AND a.uncounted = 0), 0), n.next_at, n.end_reason
FROM numbers n JOIN contacts c ON c.id = n.contact_id JOIN bases b ON b.id = c.base_id;
DROP TABLE numbers;
ALTER TABLE numbers_2 RENAME TO numbers;
CREATE INDEX numbers_of_contact ON numbers (contact_id, position);
CREATE INDEX numbers_by_number ON numbers (number);

-- How many contacts of a pool are in each state. Inserts are counted by the upload, changes by the triggers.
DROP TABLE contact_counts;
CREATE TABLE contact_counts (
  pool_id INTEGER NOT NULL,
  state   TEXT NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (pool_id, state)
) STRICT, WITHOUT ROWID;
INSERT INTO contact_counts SELECT pool_id, state, count(*) FROM contacts GROUP BY pool_id, state;

CREATE TRIGGER contact_moved AFTER UPDATE OF state, pool_id ON contacts
WHEN old.state <> new.state OR old.pool_id <> new.pool_id BEGIN
  INSERT INTO contact_counts VALUES (old.pool_id, old.state, -1) ON CONFLICT DO UPDATE SET n = n - 1;
  INSERT INTO contact_counts VALUES (new.pool_id, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER contact_removed AFTER DELETE ON contacts BEGIN
  UPDATE contact_counts SET n = n - 1 WHERE pool_id = old.pool_id AND state = old.state;
END;

-- Every end of a contact, in order: what others are told of (Webitel's dialer_member_end).
CREATE TABLE endings (
  id          INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  campaign_id INTEGER NOT NULL,
  contact_id  INTEGER NOT NULL,
  number      TEXT NOT NULL,
  tries       INTEGER NOT NULL,
  successful  INTEGER NOT NULL,
  end_reason  TEXT NOT NULL,
  end_cause   TEXT NOT NULL
) STRICT;
CREATE INDEX endings_of_campaign ON endings (campaign_id, id);
CREATE TRIGGER contact_ended AFTER UPDATE OF state ON contacts WHEN new.state = 'done' AND old.state <> 'done' BEGIN
  INSERT INTO endings (at, campaign_id, contact_id, number, tries, successful, end_reason, end_cause)
  VALUES (coalesce(new.ended_at, 0), new.campaign_id, new.id, new.main_number, new.tries, new.successful,
    new.end_reason, new.end_cause);
END;

ALTER TABLE attempts ADD COLUMN dialed_as TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN caller_id TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN range_key TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN manual INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN retry_s INTEGER;
ALTER TABLE attempts ADD COLUMN reserved_agent TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN leg_id TEXT NOT NULL DEFAULT '';
-- The caps on attempts to a number, across campaigns.
CREATE INDEX attempts_by_number ON attempts (number, created_at);

ALTER TABLE blacklist ADD COLUMN expires_at INTEGER;
ALTER TABLE trunks ADD COLUMN caller_id TEXT NOT NULL DEFAULT '';

CREATE TABLE routes (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL                   -- JSON, see domain/route.py
) STRICT, WITHOUT ROWID;
CREATE TABLE calendars (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL                   -- JSON, see domain/calendar.py
) STRICT, WITHOUT ROWID;
CREATE TABLE caller_id_pools (
  name    TEXT PRIMARY KEY,
  numbers TEXT NOT NULL                -- JSON array, in the order of their turns
) STRICT, WITHOUT ROWID;
CREATE TABLE agents (
  agent TEXT PRIMARY KEY,              -- extension or interface
  body  TEXT NOT NULL                  -- JSON, see domain/agent.py
) STRICT, WITHOUT ROWID;

-- Statistics by local day. The abandonment rate is kept for the law: zeroing a campaign's totals leaves it alone.
CREATE TABLE campaign_days (
  campaign_id INTEGER NOT NULL,
  day         TEXT NOT NULL,           -- YYYY-MM-DD
  disposition TEXT NOT NULL,
  n           INTEGER NOT NULL,
  PRIMARY KEY (campaign_id, day, disposition)
) STRICT, WITHOUT ROWID;
INSERT INTO campaign_days
SELECT campaign_id, date(closed_at / 1000, 'unixepoch', 'localtime'), disposition, count(*) FROM attempts
WHERE state = 'closed' GROUP BY 1, 2, 3;
CREATE TABLE trunk_days (
  trunk       TEXT NOT NULL,
  day         TEXT NOT NULL,
  disposition TEXT NOT NULL,
  n           INTEGER NOT NULL,
  PRIMARY KEY (trunk, day, disposition)
) STRICT, WITHOUT ROWID;
INSERT INTO trunk_days
SELECT trunk, date(closed_at / 1000, 'unixepoch', 'localtime'), disposition, count(*) FROM attempts
WHERE state = 'closed' GROUP BY 1, 2, 3;
CREATE TABLE agent_days (
  agent       TEXT NOT NULL,           -- interface
  campaign_id INTEGER NOT NULL,
  day         TEXT NOT NULL,
  offered     INTEGER NOT NULL,        -- calls its telephone was rung for, or that it took from the queue
  answered    INTEGER NOT NULL,
  talk_s      REAL NOT NULL,
  PRIMARY KEY (agent, campaign_id, day)
) STRICT, WITHOUT ROWID;

-- What was done to campaigns, by whom: started, slept, stopped, zeroed, failed.
CREATE TABLE campaign_events (
  id          INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  event       TEXT NOT NULL,
  detail      TEXT NOT NULL,
  done_by     TEXT NOT NULL
) STRICT;
CREATE INDEX campaign_events_of ON campaign_events (campaign_id, id);

-- What others ask the running engine to do at once. An order that nobody took in time is never carried out.
CREATE TABLE orders (
  id         TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  body       TEXT NOT NULL,            -- JSON object
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('new', 'taken', 'done', 'failed')),
  result     TEXT NOT NULL DEFAULT ''  -- done: JSON; failed: the error's words
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_new ON orders (created_at) WHERE state = 'new';

-- Calls that an agent is asked about before anybody is dialed.
CREATE TABLE offers (
  attempt_id  TEXT PRIMARY KEY,
  agent       TEXT NOT NULL,
  campaign_id INTEGER NOT NULL,
  contact_id  INTEGER NOT NULL,
  number      TEXT NOT NULL,
  made_at     INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  answer      TEXT NOT NULL DEFAULT '' CHECK (answer IN ('', 'accept', 'skip'))
) STRICT, WITHOUT ROWID;
