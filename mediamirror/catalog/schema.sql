-- The tables of the catalog, as numbered migrations: schema.py reads them, and draws how the tables hang together.

-- migration 1
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    exit_code INTEGER
) STRICT;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    media_type TEXT,
    base_url TEXT,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    read_at TEXT NOT NULL
) STRICT;

CREATE TABLE image_sets (
    id INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    alt TEXT,
    context TEXT,
    inferred INTEGER NOT NULL
) STRICT;

CREATE TABLE places (
    id INTEGER PRIMARY KEY,
    set_id INTEGER NOT NULL REFERENCES image_sets(id),
    document_id INTEGER NOT NULL REFERENCES documents(id),
    run_id INTEGER NOT NULL,
    line INTEGER NOT NULL,
    carrier TEXT NOT NULL,
    attribute TEXT,
    span_start INTEGER,
    span_end INTEGER
) STRICT;
CREATE INDEX places_by_set ON places(set_id);
CREATE INDEX places_by_document ON places(document_id);
CREATE INDEX places_by_run ON places(run_id, set_id);

CREATE TABLE variants (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL
) STRICT;

CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    place_id INTEGER NOT NULL REFERENCES places(id) ON DELETE CASCADE,
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    carrier TEXT NOT NULL,
    attribute TEXT,
    width INTEGER,
    density REAL,
    height INTEGER,
    media TEXT,
    mime TEXT,
    sizes TEXT,
    raw_url TEXT NOT NULL,
    line INTEGER NOT NULL,
    span_start INTEGER,
    span_end INTEGER
) STRICT;
CREATE INDEX candidates_by_place ON candidates(place_id);
CREATE INDEX candidates_by_variant ON candidates(variant_id);

CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    format TEXT,
    width INTEGER,
    height INTEGER,
    decoded INTEGER,
    frames INTEGER,
    mode TEXT,
    alpha INTEGER,
    icc INTEGER,
    orientation INTEGER,
    has_gps INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE fetches (
    id INTEGER PRIMARY KEY,
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    run_id INTEGER NOT NULL,
    fetched_at TEXT NOT NULL,
    final_url TEXT,
    http_status INTEGER,
    headers TEXT,
    etag TEXT,
    last_modified TEXT,
    seconds REAL,
    received INTEGER NOT NULL,
    sha256 TEXT,
    error_code TEXT,
    error_message TEXT
) STRICT;
CREATE INDEX fetches_by_variant ON fetches(variant_id, id);

CREATE TABLE stores (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE objects (
    store_id INTEGER NOT NULL REFERENCES stores(id),
    key TEXT NOT NULL,
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    content_type TEXT,
    token TEXT,
    stored_at TEXT NOT NULL,
    PRIMARY KEY (store_id, key, variant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_variant ON objects(variant_id, store_id);
CREATE INDEX objects_by_sha256 ON objects(sha256);

CREATE TABLE items (
    run_id INTEGER NOT NULL,
    variant_id INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    position INTEGER,
    status TEXT,
    key TEXT,
    sha256 TEXT,
    error_code TEXT,
    error_message TEXT,
    PRIMARY KEY (run_id, variant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_by_position ON items(run_id, position);

CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    document TEXT,
    line INTEGER,
    declared TEXT,
    actual TEXT
) STRICT;
CREATE INDEX findings_by_variant ON findings(variant_id, run_id);

-- migration 2
CREATE TABLE holdings (
    store_id INTEGER NOT NULL REFERENCES stores(id),
    key TEXT NOT NULL,
    sha256 TEXT,
    size INTEGER NOT NULL,
    token TEXT NOT NULL,
    twin TEXT,
    PRIMARY KEY (store_id, key)
) STRICT, WITHOUT ROWID;

-- migration 3
CREATE TABLE published (
    store_id INTEGER NOT NULL REFERENCES stores(id),
    key TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    token TEXT,
    PRIMARY KEY (store_id, key)
) STRICT, WITHOUT ROWID;

-- migration 4
CREATE TABLE standings (
    store_id INTEGER NOT NULL REFERENCES stores(id),
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    run_id INTEGER NOT NULL,
    status TEXT NOT NULL,
    sha256 TEXT,
    error_code TEXT,
    error_message TEXT,
    settled_at TEXT NOT NULL,
    PRIMARY KEY (store_id, variant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_by_variant ON items(variant_id);
INSERT INTO standings
    SELECT coalesce((SELECT min(o.store_id) FROM objects o WHERE o.variant_id = i.variant_id), (SELECT min(id) FROM stores)),
        i.variant_id, max(i.run_id), i.status, i.sha256, i.error_code, i.error_message,
        coalesce((SELECT r.started_at FROM runs r WHERE r.id = i.run_id), '')
    FROM items i WHERE i.status IS NOT NULL AND (i.status <> 'skipped' OR i.sha256 IS NOT NULL) GROUP BY i.variant_id;
INSERT OR IGNORE INTO standings
    SELECT o.store_id, o.variant_id, 0, 'stored', o.sha256, NULL, NULL, max(o.stored_at)
    FROM objects o GROUP BY o.store_id, o.variant_id;
INSERT OR IGNORE INTO standings
    SELECT (SELECT min(id) FROM stores), i.variant_id, max(i.run_id), i.status, NULL, NULL, NULL,
        coalesce((SELECT r.started_at FROM runs r WHERE r.id = i.run_id), '')
    FROM items i WHERE i.status = 'skipped' GROUP BY i.variant_id;
DROP INDEX items_by_variant;
ALTER TABLE fetches ADD COLUMN redirects TEXT;

-- migration 5
-- With --strip-metadata: the blob that came from the origin, which objects.sha256 was made from. NULL: stored as it came.
ALTER TABLE objects ADD COLUMN source_sha256 TEXT;

-- migration 6
-- `ImageFacts.corrected`. A WebP is never turned, whatever releases before this one took from its EXIF.
ALTER TABLE blobs ADD COLUMN corrected_width INTEGER;
ALTER TABLE blobs ADD COLUMN corrected_height INTEGER;
UPDATE blobs SET orientation = 1 WHERE format = 'webp';

-- migration 7
-- What `rewrite` did. A file has one row: what it was at first, what it is now, and the URLs that moved meanwhile.
CREATE TABLE rewrites (
    id INTEGER PRIMARY KEY,
    document TEXT NOT NULL,
    output TEXT NOT NULL UNIQUE,
    source_sha256 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    store_id INTEGER NOT NULL REFERENCES stores(id),
    target TEXT NOT NULL,
    rewritten_at TEXT NOT NULL
) STRICT;

CREATE TABLE rewritten (
    rewrite_id INTEGER NOT NULL REFERENCES rewrites(id) ON DELETE CASCADE,
    variant_id INTEGER NOT NULL REFERENCES variants(id),
    address TEXT NOT NULL,
    PRIMARY KEY (rewrite_id, variant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rewritten_by_variant ON rewritten(variant_id);
CREATE INDEX documents_by_sha256 ON documents(sha256);

-- migration 8
-- A digest of the request headers that the answer may depend on, where the user gave some; NULL for none.
ALTER TABLE fetches ADD COLUMN asked TEXT;

-- migration 9
-- NULL: of the exchange itself. Work lists of earlier runs are read by nobody.
ALTER TABLE fetches ADD COLUMN seen_at TEXT;
ALTER TABLE fetches ADD COLUMN seen_run INTEGER;
ALTER TABLE fetches ADD COLUMN seen_status INTEGER;
DROP TABLE items;

-- migration 10
-- JSON: the plain values of the row that a document is.
ALTER TABLE documents ADD COLUMN columns TEXT;
