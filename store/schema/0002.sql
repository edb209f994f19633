-- Files are written as a stream (form 2: a sealed header, then pieces bound to the
-- salt that it holds); those of form 1, whose pieces are bound to the digest, stay
-- as they are. since is when the file came here, in Unix milliseconds.
ALTER TABLE blobs ADD COLUMN form INTEGER NOT NULL DEFAULT 1;
ALTER TABLE blobs ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

-- What the camera wrote, for each copy that travels in its place. Kept until the
-- county's word covers the copy.
CREATE TABLE originals (
	copy     BLOB NOT NULL,
	original BLOB NOT NULL,
	PRIMARY KEY (copy, original)
) STRICT, WITHOUT ROWID;

-- Files that the county's signed word covers: they may leave this machine. Written
-- when a receipt is taken; never deleted.
CREATE TABLE confirmed (
	digest BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Files that have left this machine after that. They are not missing.
CREATE TABLE departed (
	digest BLOB PRIMARY KEY,
	size   INTEGER NOT NULL,
	since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files that a withdrawn bundle names. It may be accepted yet, so they stay.
CREATE TABLE disputed (
	digest BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
