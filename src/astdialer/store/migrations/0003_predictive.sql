-- What predictive dialing has learned of a campaign: JSON, see domain/pacer.py.
CREATE TABLE learned (
  campaign_id INTEGER PRIMARY KEY REFERENCES campaigns (id),
  saved_at    INTEGER NOT NULL,
  body        TEXT NOT NULL
) STRICT;
