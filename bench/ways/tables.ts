/** The tables that are measured beside pgbench's own. */

/** Rows of the table with answers of 1 KB, and of that with 100 KB. */
export const PAGES = 100;
/** Of the blobs that a stalled client asks for: small ones, and at 0 a large one. */
export const BLOB_BYTES = 8 * 1024 * 1024;
const SKEWED_ROWS = 200_000;
/** Values of the skewed column that a row in so many has; all others have 0. */
const RARE_EVERY = 1000;
export const RARE_VALUES = SKEWED_ROWS / RARE_EVERY;

/** Text that does not shrink, so that reading it costs what its size says. */
function bodySql(bytes: number): string {
  const pieces = Math.ceil(bytes / 32);
  return (
    `(SELECT substr(string_agg(md5(id::text || '-' || piece), ''), 1, ${bytes}) ` +
    `FROM generate_series(1, ${pieces}) AS piece)`
  );
}

function bodies(table: string, bytes: number): string {
  return `
CREATE TABLE ${table} (id int PRIMARY KEY, body text NOT NULL);
ALTER TABLE ${table} ALTER body SET STORAGE EXTERNAL;
INSERT INTO ${table} SELECT id, ${bodySql(bytes)} FROM generate_series(1, ${PAGES}) AS id;
ANALYZE ${table};`;
}

export const tablesSql = `
${bodies('bench_1k', 1000)}
${bodies('bench_100k', 100_000)}
${bodies('bench_blobs', 100)}
INSERT INTO bench_blobs SELECT 0, repeat('x', ${BLOB_BYTES});

CREATE TABLE bench_skewed (id int PRIMARY KEY, kind int NOT NULL);
INSERT INTO bench_skewed
  SELECT id, CASE WHEN id % ${RARE_EVERY} = 0 THEN id / ${RARE_EVERY} ELSE 0 END
  FROM generate_series(1, ${SKEWED_ROWS}) AS id;
CREATE INDEX ON bench_skewed (kind);
ANALYZE bench_skewed;

CREATE TABLE bench_locked (id int PRIMARY KEY, value int NOT NULL);
INSERT INTO bench_locked SELECT id, id FROM generate_series(1, 1000) AS id;
ANALYZE bench_locked;

SELECT 1`;
