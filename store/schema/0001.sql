-- What is true: bundles, journal, held, receipts, drafts, settings, blobs. Kept as
-- received; only these are ever migrated.

-- Who this node is, in plain text: it must be readable before anybody unlocks.
CREATE TABLE identity (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;

-- Small local settings, sealed. They never travel.
CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;

-- Own changes that are not yet in a signed bundle, by their place in the node's
-- log. Append moves them into bundles in one transaction; nothing else deletes.
CREATE TABLE journal (
	seq      INTEGER PRIMARY KEY,
	division TEXT NOT NULL,
	kind     TEXT NOT NULL,
	content  BLOB NOT NULL            -- sealed: the change's bytes
) STRICT;

-- Signed bundles in order of arrival: own ones and others'. pos is the cursor of a
-- pull. A body is null when it was withheld: the head alone keeps the chain.
CREATE TABLE bundles (
	pos      INTEGER PRIMARY KEY AUTOINCREMENT,
	node     BLOB NOT NULL,
	first    INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	prev     BLOB NOT NULL,
	digest   BLOB NOT NULL UNIQUE,
	division TEXT NOT NULL,
	audience INTEGER NOT NULL,
	head     BLOB NOT NULL,
	body     BLOB,                    -- sealed: the compressed changes as received
	UNIQUE (node, first)
) STRICT;

-- Bundles that wait or were set aside, with the reason. Released when applied, or
-- when a person says so.
CREATE TABLE held (
	digest BLOB PRIMARY KEY,
	node   BLOB NOT NULL,
	first  INTEGER NOT NULL,
	last   INTEGER NOT NULL,
	reason TEXT NOT NULL,
	detail BLOB NOT NULL,             -- sealed
	raw    BLOB NOT NULL,             -- sealed
	since  INTEGER NOT NULL           -- Unix milliseconds
) STRICT;

-- The county's signed word that it holds a node's changes, newest a node.
CREATE TABLE receipts (
	node BLOB PRIMARY KEY,
	upto INTEGER NOT NULL,
	raw  BLOB NOT NULL
) STRICT;

-- Visits being filled: one row a draft, one row an answer, so that saving an answer
-- costs one small row.
CREATE TABLE drafts (
	id      BLOB PRIMARY KEY,
	content BLOB NOT NULL             -- sealed
) STRICT;

CREATE TABLE answers (
	draft   BLOB NOT NULL,
	path    BLOB NOT NULL,            -- blind index of the question's path
	content BLOB NOT NULL,            -- sealed: path and value
	PRIMARY KEY (draft, path)
) STRICT;

-- Photos and files that are here, durable, by the SHA-256 of their plain content.
CREATE TABLE blobs (
	digest BLOB PRIMARY KEY,
	size   INTEGER NOT NULL
) STRICT;
