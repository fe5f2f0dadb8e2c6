-- The HTTP API: tokens and tenants, what happens as a log that others follow, webhooks and their durable queue, uploads
-- that go on after the request, what a dialect keeps of its own objects, and answers to repeated requests.

ALTER TABLE campaigns ADD COLUMN tenant TEXT NOT NULL DEFAULT '';  -- '' belongs to no tenant
ALTER TABLE contacts ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;  -- when it was last written back
ALTER TABLE recordings ADD COLUMN done_at INTEGER;

-- Counts what the engine may have to notice: whatever others write, but what HTTP and webhooks keep for themselves.
CREATE TABLE revision (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  n  INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

-- Removed campaigns and contacts. What was called is kept without what else was known of it: attempts and CDRs refer to
-- it, and the caps on calls to a number count it. A removed campaign keeps its name, which its CDRs bear.
ALTER TABLE campaigns ADD COLUMN removed_at INTEGER;
ALTER TABLE campaigns ADD COLUMN erased_to INTEGER;  -- removed: contacts up to this id are erased; NULL: nothing is left
CREATE TABLE uploads_2 (
  id           INTEGER PRIMARY KEY,
  base_id      INTEGER NOT NULL REFERENCES bases (id),
  campaign_id  INTEGER NOT NULL REFERENCES campaigns (id),
  file_name    TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('loading', 'published', 'discarding', 'removed')), -- removed: is new
  started_at   INTEGER NOT NULL,
  touched_at   INTEGER NOT NULL,
  published_at INTEGER
) STRICT;
INSERT INTO uploads_2 SELECT id, base_id, campaign_id, file_name, state, started_at, touched_at, published_at FROM uploads;
DROP TABLE uploads;
ALTER TABLE uploads_2 RENAME TO uploads;
CREATE INDEX uploads_of_campaign ON uploads (campaign_id, state);

-- Of a secret only its hash is kept: it has 256 random bits, so that no slow hash is needed.
CREATE TABLE tokens (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  role       TEXT NOT NULL CHECK (role IN ('admin', 'supervisor', 'agent', 'integration', 'read-only')),
  tenant     TEXT NOT NULL,            -- '' sees every tenant
  agent      TEXT NOT NULL,            -- role agent: whose telephone
  hash       TEXT NOT NULL UNIQUE,     -- SHA-256 of the token's text
  key_hash   TEXT NOT NULL,            -- and of the second secret that comes with it (Webitel's X-Key), or ''
  parent     TEXT NOT NULL,            -- of a session: the token that it was made with
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_name ON tokens (name);
CREATE INDEX tokens_of_parent ON tokens (parent, created_at) WHERE parent <> '';
CREATE INDEX tokens_ending ON tokens (expires_at) WHERE parent <> '';

-- What has happened, in order; written by triggers in the transaction of the fact itself, whoever writes it.
CREATE TABLE events (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          INTEGER NOT NULL,
  kind        TEXT NOT NULL,           -- see domain/hooks.py
  campaign_id INTEGER,
  contact_id  INTEGER,
  attempt_id  TEXT NOT NULL DEFAULT '',
  body        TEXT NOT NULL            -- JSON object
) STRICT;

-- One trigger: several steps may be written at once, and SQLite leaves open which of two triggers comes first.
CREATE TRIGGER attempt_told AFTER UPDATE OF dialed_at, answered_at, connected_at ON attempts BEGIN
  INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
  SELECT new.dialed_at, 'attempt.dialed', new.campaign_id, new.contact_id, new.id,
    json_object('number', new.number, 'trunk', new.trunk, 'caller_id', new.caller_id)
  WHERE old.dialed_at IS NULL AND new.dialed_at IS NOT NULL;
  INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
  SELECT new.answered_at, 'attempt.answered', new.campaign_id, new.contact_id, new.id,
    json_object('number', new.number)
  WHERE old.answered_at IS NULL AND new.answered_at IS NOT NULL;
  INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
  SELECT new.connected_at, 'attempt.connected', new.campaign_id, new.contact_id, new.id,
    json_object('number', new.number, 'agent', new.agent)
  WHERE old.connected_at IS NULL AND new.connected_at IS NOT NULL;
END;
CREATE TRIGGER attempt_closed AFTER INSERT ON cdrs BEGIN
  INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
  SELECT coalesce(a.closed_at, new.calldate), 'attempt.closed', a.campaign_id, new.contact_id, new.guid,
    json_object('number', new.dst, 'disposition', new.disposition, 'agent', new.agent, 'billsec', new.billsec,
      'talk_s', new.talk_s)
  FROM attempts a WHERE a.id = new.guid;
END;
CREATE TRIGGER contact_scheduled AFTER UPDATE OF state ON contacts
WHEN old.state IN ('in_call', 'held') AND new.state = 'waiting' BEGIN
  INSERT INTO events (at, kind, campaign_id, contact_id, body)
  VALUES (new.changed_at, 'contact.scheduled', new.campaign_id, new.id,
    json_object('number', new.main_number, 'next_at', new.next_at, 'tries', new.tries));
END;
CREATE TRIGGER ending_told AFTER INSERT ON endings BEGIN
  INSERT INTO events (at, kind, campaign_id, contact_id, body)
  VALUES (new.at, 'contact.ended', new.campaign_id, new.contact_id,
    json_object('number', new.number, 'tries', new.tries, 'successful', json(iif(new.successful, 'true', 'false')),
      'end_reason', new.end_reason, 'end_cause', new.end_cause));
END;
CREATE TRIGGER campaign_told AFTER INSERT ON campaign_events BEGIN
  INSERT INTO events (at, kind, campaign_id, body)
  VALUES (new.at, 'campaign.' || new.event, new.campaign_id,
    json_object('detail', new.detail, 'done_by', new.done_by, 'open_contacts',
      (SELECT coalesce(sum(n.n), 0) FROM pools p JOIN uploads u ON u.id = p.upload_id AND u.state = 'published'
       JOIN contact_counts n ON n.pool_id = p.id AND n.state <> 'done' WHERE p.campaign_id = new.campaign_id)));
END;
CREATE TRIGGER recording_told AFTER UPDATE OF state ON recordings WHEN new.state = 'done' AND old.state <> 'done' BEGIN
  INSERT INTO events (at, kind, campaign_id, contact_id, attempt_id, body)
  SELECT coalesce(new.done_at, a.closed_at, 0), 'recording.ready', a.campaign_id, a.contact_id, a.id,
    json_object('date', new.date, 'duration_s', new.duration_s)
  FROM attempts a WHERE a.id = new.attempt_id;
END;
CREATE TRIGGER base_told AFTER UPDATE OF state ON uploads WHEN new.state = 'published' AND old.state <> 'published' BEGIN
  INSERT INTO events (at, kind, campaign_id, body)
  SELECT coalesce(new.published_at, 0), 'base.loaded', new.campaign_id,
    json_object('base', b.name, 'file_name', new.file_name)
  FROM bases b WHERE b.id = new.base_id;
END;

CREATE TABLE webhooks (
  id          TEXT PRIMARY KEY,
  tenant      TEXT NOT NULL,
  campaign_id INTEGER,                 -- NULL: of every campaign of the tenant
  url         TEXT NOT NULL,
  secret      TEXT NOT NULL,           -- the receiver checks with it what we sign: it can't be hashed
  events      TEXT NOT NULL,           -- JSON array of kinds; * is any
  form        TEXT NOT NULL,           -- whose bodies: native, webitel, webitel-call, twin24
  options     TEXT NOT NULL,           -- JSON object, the form's own
  enabled     INTEGER NOT NULL,
  since_event INTEGER NOT NULL,        -- told of what comes after this one: clocks may go back, ids do not
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One event for one webhook. The body is made once: each try sends the same.
CREATE TABLE deliveries (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  webhook_id   TEXT NOT NULL REFERENCES webhooks (id),
  event_id     INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  tries        INTEGER NOT NULL DEFAULT 0,
  created_at   INTEGER NOT NULL,       -- or when somebody had it sent again: its day to live begins here
  retry_at     INTEGER NOT NULL,
  delivered_at INTEGER,
  status       INTEGER NOT NULL DEFAULT 0,
  error        TEXT NOT NULL DEFAULT '',
  body         TEXT NOT NULL,          -- last, so that what stands before it is found without reading it
  UNIQUE (webhook_id, event_id, kind)
) STRICT;
CREATE INDEX deliveries_pending ON deliveries (webhook_id, retry_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_state ON deliveries (state, created_at, seq, webhook_id);

-- How far a follower of the events has come.
CREATE TABLE followers (
  name     TEXT PRIMARY KEY,
  event_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO followers VALUES ('webhooks', 0);

-- A base that was sent to us: its file is in the spool until it is loaded, whatever dies.
CREATE TABLE upload_jobs (
  id          TEXT PRIMARY KEY,
  campaign_id INTEGER,                 -- NULL: each row names its own
  base        TEXT NOT NULL,
  tenant      TEXT NOT NULL,
  file_name   TEXT NOT NULL,
  path        TEXT NOT NULL,
  options     TEXT NOT NULL,           -- JSON object: timezone, country, mapping, encoding, delimiter, dry_run
  state       TEXT NOT NULL CHECK (state IN ('waiting', 'loading', 'done', 'failed')),
  bytes       INTEGER NOT NULL,
  bytes_done  INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL,
  ended_at    INTEGER,
  report      TEXT NOT NULL DEFAULT '{}',
  error       TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX upload_jobs_open ON upload_jobs (created_at) WHERE state IN ('waiting', 'loading');
CREATE INDEX upload_jobs_by_age ON upload_jobs (created_at DESC, id);

-- What a dialect has of its own: documents as they came, and ids in its own form.
CREATE TABLE foreign_objects (
  dialect    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  tenant     TEXT NOT NULL,
  name       TEXT NOT NULL,            -- ours: a campaign's id, a calendar's name
  body       TEXT NOT NULL,            -- JSON object
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (dialect, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX foreign_objects_by_name ON foreign_objects (dialect, kind, name);

-- Answers to requests that came with a key: the same request again is answered the same, and done once.
CREATE TABLE idempotency (
  token_id    TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  status      INTEGER,                 -- NULL: it is being done
  headers     TEXT NOT NULL DEFAULT '{}',
  body        BLOB,
  PRIMARY KEY (token_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Contacts that come one by one may repeat each other's numbers where their dialect allows it.
ALTER TABLE contacts ADD COLUMN repeatable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN reference TEXT NOT NULL DEFAULT '';  -- what the other system calls it
DROP INDEX contacts_main;
CREATE UNIQUE INDEX contacts_main ON contacts (base_id, main_number) WHERE rank = 2 AND repeatable = 0;
CREATE UNIQUE INDEX contacts_by_reference ON contacts (campaign_id, reference) WHERE reference <> '';
CREATE INDEX contacts_of_campaign ON contacts (campaign_id, id);

-- Which of the jobs above brought an upload: what it left when the process died is removed before it begins anew.
ALTER TABLE uploads ADD COLUMN job TEXT NOT NULL DEFAULT '';
CREATE INDEX uploads_of_job ON uploads (job) WHERE job <> '';
-- A running number for each CDR, in the order in which calls ended: uContact's getrecords shows one.
CREATE TABLE cdr_ids (
  id   INTEGER PRIMARY KEY,
  guid TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO cdr_ids (guid) SELECT guid FROM cdrs ORDER BY calldate, guid;
CREATE TRIGGER cdr_numbered AFTER INSERT ON cdrs BEGIN
  INSERT INTO cdr_ids (guid) VALUES (new.guid);
END;
ALTER TABLE attempts ADD COLUMN tag TEXT NOT NULL DEFAULT '';  -- of this call; its contact's is the last one
CREATE INDEX cdrs_by_agent ON cdrs (agent, calldate) WHERE agent <> '';
-- What another system has sent with a contact, and wants back with whatever it is told of it.
CREATE TABLE attachments (
  contact_id INTEGER PRIMARY KEY REFERENCES contacts (id),
  body       TEXT NOT NULL             -- JSON object
) STRICT;
