-- One row an act, in the order in which it was recorded. raw is what is chained:
-- it names the row before it, and the digest of detail. Nothing is ever changed or
-- taken away; the triggers say so to whoever tries with the program's own means.
CREATE TABLE entries (
	n      INTEGER PRIMARY KEY,       -- from 0, without gaps
	at     INTEGER NOT NULL,          -- Unix milliseconds, as in raw: to look up by day
	action TEXT NOT NULL,             -- as in raw: to look up and count
	raw    BLOB NOT NULL,             -- deterministic CBOR, no personal content
	detail BLOB NOT NULL              -- sealed: reason, recipient, what was done, in words
) STRICT;
CREATE INDEX entries_by_action ON entries (action, n);

-- The transparency log over raw (C2SP tlog): hashes in storage order.
CREATE TABLE hashes (
	i    INTEGER PRIMARY KEY,
	hash BLOB NOT NULL
) STRICT;

CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER entries_last BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER hashes_stay BEFORE UPDATE ON hashes BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER hashes_last BEFORE DELETE ON hashes BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;
