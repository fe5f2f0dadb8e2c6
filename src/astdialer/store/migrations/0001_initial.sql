-- Instants are milliseconds since 1970 UTC. Enumerations are checked against the domain's by a test.

CREATE TABLE trunks (
  name             TEXT PRIMARY KEY,
  dial             TEXT NOT NULL,
  server           TEXT NOT NULL,
  max_calls        INTEGER NOT NULL,
  calls_per_second REAL NOT NULL,
  enabled          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  state       TEXT NOT NULL CHECK (state IN ('idle', 'running', 'paused', 'stopping', 'stopped', 'finished')),
  settings    TEXT NOT NULL,           -- JSON object of setting → text, only what differs from the default
  hang_up     INTEGER NOT NULL DEFAULT 0,
  explanation TEXT NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  changed_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE bases (
  id          INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns (id),
  name        TEXT NOT NULL,
  timezone    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  UNIQUE (campaign_id, name)
) STRICT;

-- One upload is all or nothing: its contacts can be claimed only once it is published, which is one row's change.
CREATE TABLE uploads (
  id           INTEGER PRIMARY KEY,
  base_id      INTEGER NOT NULL REFERENCES bases (id),
  campaign_id  INTEGER NOT NULL REFERENCES campaigns (id),
  file_name    TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('loading', 'published', 'discarding')),
  started_at   INTEGER NOT NULL,
  touched_at   INTEGER NOT NULL,
  published_at INTEGER
) STRICT;
CREATE INDEX uploads_of_campaign ON uploads (campaign_id, state);

CREATE TABLE contacts (
  id          INTEGER PRIMARY KEY,
  upload_id   INTEGER NOT NULL REFERENCES uploads (id),
  base_id     INTEGER NOT NULL,
  campaign_id INTEGER NOT NULL,
  main_number TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'in_call', 'done')),
  priority    INTEGER NOT NULL,
  next_at     INTEGER,                 -- waiting: when it is due
  params      TEXT NOT NULL,           -- JSON object
  agentphone  TEXT NOT NULL,
  line        INTEGER NOT NULL,        -- of the uploaded file
  end_reason  TEXT NOT NULL DEFAULT '',
  UNIQUE (base_id, main_number)
) STRICT;
-- The claim reads these two from their start and no further: its cost does not grow with the base.
CREATE INDEX contacts_ready ON contacts (upload_id, priority, id) WHERE state = 'ready';
CREATE INDEX contacts_waiting ON contacts (upload_id, next_at) WHERE state = 'waiting';

CREATE TABLE numbers (
  id               INTEGER PRIMARY KEY,
  contact_id       INTEGER NOT NULL REFERENCES contacts (id),
  position         INTEGER NOT NULL,
  number           TEXT NOT NULL,
  as_uploaded      TEXT NOT NULL,
  type             TEXT NOT NULL CHECK (type IN ('P', 'M', 'W', 'H', 'U')),
  tally            TEXT NOT NULL DEFAULT '{}',
  last_disposition TEXT NOT NULL DEFAULT '',
  next_at          INTEGER DEFAULT 0,  -- null: not dialed any more
  end_reason       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX numbers_of_contact ON numbers (contact_id, position);
CREATE INDEX numbers_by_number ON numbers (number);

-- How many contacts of an upload are in each state. Inserts are counted by the upload, changes by the triggers.
CREATE TABLE contact_counts (
  upload_id INTEGER NOT NULL,
  state     TEXT NOT NULL,
  n         INTEGER NOT NULL,
  PRIMARY KEY (upload_id, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER contact_state_changed AFTER UPDATE OF state ON contacts WHEN old.state <> new.state BEGIN
  INSERT INTO contact_counts VALUES (old.upload_id, old.state, -1) ON CONFLICT DO UPDATE SET n = n - 1;
  INSERT INTO contact_counts VALUES (new.upload_id, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER contact_removed AFTER DELETE ON contacts BEGIN
  UPDATE contact_counts SET n = n - 1 WHERE upload_id = old.upload_id AND state = old.state;
END;

CREATE TABLE attempts (
  id                 TEXT PRIMARY KEY,
  campaign_id        INTEGER NOT NULL REFERENCES campaigns (id),
  contact_id         INTEGER NOT NULL REFERENCES contacts (id),
  number_id          INTEGER NOT NULL,
  number             TEXT NOT NULL,
  trunk              TEXT NOT NULL,
  server             TEXT NOT NULL,
  created_at         INTEGER NOT NULL,
  reason             TEXT NOT NULL,
  state              TEXT NOT NULL
    CHECK (state IN ('created', 'dialing', 'ringing', 'answered', 'connected', 'gone', 'closed')),
  dialed_at          INTEGER,
  ringing_at         INTEGER,
  answered_at        INTEGER,
  connected_at       INTEGER,
  talk_ended_at      INTEGER,
  gone_at            INTEGER,
  channel            TEXT NOT NULL,
  refusal            TEXT NOT NULL,
  uncounted          INTEGER NOT NULL,
  originate_ended_at INTEGER,
  originate_success  INTEGER,
  originate_reason   INTEGER,
  adopted            INTEGER NOT NULL,
  vanished           INTEGER NOT NULL,
  canceled           INTEGER NOT NULL,
  dial_status        TEXT NOT NULL,
  cause              INTEGER NOT NULL,
  sip_code           INTEGER NOT NULL,
  leg_dial_status    TEXT NOT NULL,
  leg_cause          INTEGER NOT NULL,
  leg_sip_code       INTEGER NOT NULL,
  amd_verdict        TEXT,
  amd_cause          TEXT NOT NULL,
  action             TEXT,
  action_at          INTEGER,
  agent              TEXT NOT NULL,
  agent_ring_s       REAL NOT NULL,
  talk_ended_by      TEXT NOT NULL,
  contact_hung_up    INTEGER NOT NULL,
  concluded          INTEGER NOT NULL,
  result             TEXT NOT NULL,
  queue_status       TEXT NOT NULL,
  key                TEXT NOT NULL,
  disposition        TEXT,             -- set once, with closed_at
  closed_at          INTEGER
) STRICT, WITHOUT ROWID;
-- Never more than one live call to a number, across campaigns.
CREATE UNIQUE INDEX attempts_live ON attempts (number) WHERE state <> 'closed';
CREATE INDEX attempts_of_contact ON attempts (contact_id, created_at);

CREATE TABLE disposition_counts (
  campaign_id INTEGER NOT NULL,
  disposition TEXT NOT NULL,
  n           INTEGER NOT NULL,
  PRIMARY KEY (campaign_id, disposition)
) STRICT, WITHOUT ROWID;

CREATE TABLE cdrs (
  guid        TEXT PRIMARY KEY,
  calldate    INTEGER NOT NULL,
  clid        TEXT NOT NULL,
  src         TEXT NOT NULL,
  dst         TEXT NOT NULL,
  dcontext    TEXT NOT NULL,
  channel     TEXT NOT NULL,
  dstchannel  TEXT NOT NULL,
  lastapp     TEXT NOT NULL,
  duration    INTEGER NOT NULL,
  billsec     INTEGER NOT NULL,
  disposition TEXT NOT NULL,
  uniqueid    TEXT NOT NULL,
  linkedid    TEXT NOT NULL,
  causecode   INTEGER NOT NULL,
  campaign    TEXT NOT NULL,
  direction   TEXT NOT NULL,
  carrier     TEXT NOT NULL,
  dialerbase  TEXT NOT NULL,
  accountcode TEXT NOT NULL,
  sip_code    INTEGER NOT NULL,
  dial_status TEXT NOT NULL,
  amd_verdict TEXT NOT NULL,
  amd_cause   TEXT NOT NULL,
  agent       TEXT NOT NULL,
  hung_up_by  TEXT NOT NULL,
  keypress    TEXT NOT NULL,
  queue       TEXT NOT NULL,
  ring_s      REAL NOT NULL,
  wait_s      REAL NOT NULL,
  talk_s      REAL NOT NULL,
  server      TEXT NOT NULL,
  contact_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cdrs_by_date ON cdrs (calldate);
CREATE INDEX cdrs_by_campaign ON cdrs (campaign, calldate);
CREATE INDEX cdrs_by_number ON cdrs (dst, calldate);

CREATE TABLE recordings (
  attempt_id TEXT PRIMARY KEY,
  date       TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('pending', 'done', 'none', 'failed')),
  tries      INTEGER NOT NULL DEFAULT 0,
  retry_at   INTEGER NOT NULL,
  error      TEXT NOT NULL DEFAULT '',
  path       TEXT NOT NULL DEFAULT '',
  duration_s REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX recordings_pending ON recordings (retry_at) WHERE state = 'pending';
CREATE INDEX recordings_by_date ON recordings (date);

CREATE TABLE blacklist (
  number   TEXT NOT NULL,
  campaign TEXT NOT NULL,              -- a campaign's name, or * for all
  reason   TEXT NOT NULL,
  added_by TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (number, campaign)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_views (
  engine     TEXT PRIMARY KEY,
  written_at INTEGER NOT NULL,
  body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
