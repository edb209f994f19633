-- What follows from the log. Dropped and rebuilt at will (doctor --rebuild).

-- Every applied change, to explain where a value came from.
CREATE TABLE changes (
	node    BLOB NOT NULL,
	seq     INTEGER NOT NULL,
	entity  BLOB NOT NULL,
	content BLOB NOT NULL,            -- sealed: the change's bytes
	UNIQUE (node, seq)
) STRICT;
CREATE INDEX changes_of_entity ON changes (entity);

-- Changes of a field that some change replaced, whether they have arrived or not:
-- one that arrives after its successor never becomes a head.
CREATE TABLE superseded (
	entity BLOB NOT NULL,
	field  TEXT NOT NULL,
	node   BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (entity, field, node, seq)
) STRICT, WITHOUT ROWID;

-- The changes of a field that none replaced. One: its value; several with
-- different values: a conflict.
CREATE TABLE heads (
	entity BLOB NOT NULL,
	field  TEXT NOT NULL,
	node   BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	clock  INTEGER NOT NULL,
	author BLOB NOT NULL,
	kind   TEXT NOT NULL,
	division TEXT NOT NULL,
	value  BLOB NOT NULL,             -- sealed
	PRIMARY KEY (entity, field, node, seq)
) STRICT;

-- One row an entity: the provisional value of every field. Plain is only what
-- routes and sorts: kind, division, state, due date, the entity it belongs to.
CREATE TABLE entities (
	id        BLOB PRIMARY KEY,
	kind      TEXT NOT NULL,
	division  TEXT NOT NULL,
	state     TEXT NOT NULL,
	due       TEXT NOT NULL,
	parent    TEXT NOT NULL,
	updated   INTEGER NOT NULL,
	conflicts TEXT NOT NULL,          -- names of fields in conflict, space between
	content   BLOB NOT NULL           -- sealed: field -> value
) STRICT;
CREATE INDEX entities_by_place ON entities (kind, division, id);
CREATE INDEX entities_by_parent ON entities (parent, kind);
CREATE INDEX entities_in_conflict ON entities (division) WHERE conflicts <> '';

-- Which applied changes name which blob.
CREATE TABLE blobrefs (
	digest BLOB NOT NULL,
	size   INTEGER NOT NULL,
	node   BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	PRIMARY KEY (digest, node, seq)
) STRICT, WITHOUT ROWID;

-- Blind index (HMAC) of members' identity numbers, for exact look-up only.
CREATE TABLE idnumbers (
	entity BLOB PRIMARY KEY,
	blind  BLOB NOT NULL
) STRICT;
CREATE INDEX idnumbers_blind ON idnumbers (blind);
