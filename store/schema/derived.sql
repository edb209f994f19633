-- What follows from the log. Dropped and rebuilt at will (doctor --rebuild).

-- One row an entity. Plain is only what routes and sorts (AT-REST.md): kind,
-- division, state, due date, the entity it belongs to. kind is '' where no field has
-- a head.
CREATE TABLE entities (
	id        BLOB PRIMARY KEY,
	kind      TEXT NOT NULL,
	division  TEXT NOT NULL,
	state     TEXT NOT NULL,
	due       TEXT NOT NULL,
	parent    TEXT NOT NULL,
	updated   INTEGER NOT NULL,
	conflicts TEXT NOT NULL,          -- names of fields in conflict, space between
	content   BLOB NOT NULL           -- sealed: heads, and the changes they come from (state.go)
) STRICT;
CREATE INDEX entities_by_place ON entities (kind, division, id);
CREATE INDEX entities_by_parent ON entities (parent, kind);
CREATE INDEX entities_in_conflict ON entities (division) WHERE conflicts <> '';

-- Which entities' changes name which blob, each pair once. Digests are random: an index
-- of all of them would rewrite another page for every photo that a visit names. So it
-- is kept in runs of 8,192 rows, of which only the newest is written to; a digest is
-- looked for in one run after the other, the newest first.
CREATE TABLE blobrefs (
	n      INTEGER PRIMARY KEY,
	digest BLOB NOT NULL,
	entity BLOB NOT NULL,
	size   INTEGER NOT NULL,
	run    INTEGER NOT NULL,
	short  BLOB NOT NULL              -- the first six bytes of digest
) STRICT;
CREATE INDEX blobrefs_of_entity ON blobrefs (entity);
CREATE INDEX blobrefs_in_run ON blobrefs (run, short);

-- Blind index (HMAC) of members' identity numbers, for exact look-up only.
CREATE TABLE idnumbers (
	entity BLOB PRIMARY KEY,
	blind  BLOB NOT NULL
) STRICT;
CREATE INDEX idnumbers_blind ON idnumbers (blind);

-- The look-up as it was when the snapshot was written, in pieces, all of them or
-- none; and the households and members that changed since.
CREATE TABLE snapshot (
	n       INTEGER PRIMARY KEY,
	of      INTEGER NOT NULL,         -- how many pieces there are
	content BLOB NOT NULL             -- sealed
) STRICT;
CREATE TABLE stale (
	entity BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
