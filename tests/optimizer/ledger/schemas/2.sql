-- The tables of version 2, as its release wrote them.
CREATE TABLE optimizations (
  id INTEGER PRIMARY KEY,
  bottleneck TEXT NOT NULL,
  agent TEXT NOT NULL,
  severity TEXT NOT NULL,
  state TEXT NOT NULL,
  state_since REAL NOT NULL,
  outcome TEXT,
  reason TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  alert_starts_at REAL NOT NULL,
  created_at REAL NOT NULL,
  acted_at REAL,
  closed_at REAL,
  strategy TEXT,
  track_record TEXT,
  verdict TEXT,
  improvement_ratio REAL,
  threshold REAL,
  threshold_met INTEGER CHECK (threshold_met IN (0, 1)),
  aim TEXT,
  CHECK ((state = 'closed') = (outcome IS NOT NULL)),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
  CHECK (state <> 'restoring' OR aim IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_open_for_a_subject ON optimizations (bottleneck, agent)
  WHERE state IN ('waiting', 'acting', 'measuring');
CREATE INDEX open_optimizations ON optimizations (state) WHERE state <> 'closed';
CREATE INDEX optimizations_by_end ON optimizations (closed_at);
CREATE INDEX optimizations_evaluated ON optimizations (bottleneck) WHERE verdict IS NOT NULL;

CREATE TABLE actions (
  id TEXT PRIMARY KEY,
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  agent TEXT NOT NULL,
  arguments TEXT NOT NULL,
  restores TEXT REFERENCES actions,
  bot_start REAL,
  status TEXT NOT NULL,
  changes TEXT NOT NULL DEFAULT '[]',
  error TEXT NOT NULL DEFAULT '',
  sent_at REAL,
  answered_at REAL,
  CHECK (name <> 'restore' OR restores IS NOT NULL),
  CHECK (status IN ('planned', 'dropped') OR sent_at IS NOT NULL),
  UNIQUE (optimization_id, number)
) STRICT;
CREATE INDEX actions_by_time ON actions (sent_at);

CREATE TABLE performance_history (
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  phase TEXT NOT NULL CHECK (phase IN ('before', 'after')),
  started_at REAL NOT NULL,
  ended_at REAL NOT NULL,
  value REAL,
  samples INTEGER NOT NULL,
  note TEXT NOT NULL,
  events TEXT NOT NULL,
  PRIMARY KEY (optimization_id, phase)
) STRICT;

-- Each time an optimization came to an end: one that is rolled back afterwards has two.
CREATE TABLE endings (
  optimization_id INTEGER NOT NULL REFERENCES optimizations,
  outcome TEXT NOT NULL,
  ended_at REAL NOT NULL
) STRICT;

-- The occurrences of alerts that were recorded: none of them leads to an optimization again, except for one that was
-- over while its alert went on. Repeats renew seen_at.
CREATE TABLE alerts (
  fingerprint TEXT NOT NULL,
  starts_at REAL NOT NULL,
  optimization_id INTEGER REFERENCES optimizations,
  resolved INTEGER NOT NULL CHECK (resolved IN (0, 1)),
  seen_at REAL NOT NULL,
  PRIMARY KEY (fingerprint, starts_at)
) STRICT;
CREATE INDEX alerts_by_age ON alerts (seen_at);
CREATE INDEX alerts_of_an_optimization ON alerts (optimization_id);
