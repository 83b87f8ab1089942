/**
 * What a job is to do, and what is wrong with it before it begins. All of it is found out by the
 * client's own role, in a transaction that is rolled back.
 */
import { encodeErrorResponse } from '../../protocol/error-response.ts';
import { DsqlError } from '../dsql-error.ts';
import { ServerError, type ServerLink } from '../server/server-link.ts';
import { quoteName, quoteRelation } from '../sql-text.ts';
import type { Job, RelationName } from '../statements/judgement.ts';
import { type IndexText, readIndexText } from './index-text.ts';

/** Longest name in PostgreSQL, in bytes. */
const NAME_BYTES_MAX = 63;
/** A table of this size is indexed within a second. */
const QUICK_BYTES_MAX = 16 * 1_048_576;
/** Of a table, as Aurora DSQL has it: those of keys and constraints count as well. */
const INDEXES_MAX = 24;
/** Names that are tried for an index that the client gives none. */
const NAMES_MAX = 1_000;

export type JobPlan = {
  readonly type: Job['type'];
  /** Null when there is nothing to do: IF NOT EXISTS. */
  readonly sql: string | null;
  /**
   * Does the same in no time, but holds up those who write to the table meanwhile: null where that
   * would be long.
   */
  readonly quickSql: string | null;
  /** The catalogue that the object is in: `pg_class` or `pg_constraint`. */
  readonly classId: number;
  /** 0 while it does not exist. */
  readonly objectId: number;
  readonly objectName: string;
  /** The index that is built, as `to_regclass` takes it; null for another job. */
  readonly index: string | null;
};

const PG_CLASS = 1259;
const PG_CONSTRAINT = 2606;

type Table = {
  readonly oid: string;
  readonly bytes: number;
  readonly schema: string;
  readonly name: string;
};

/**
 * @param link of the client's role, with its settings
 * @throws DsqlError | ServerError what is wrong with the statement
 */
export async function planJob(link: ServerLink, job: Job, text: string): Promise<JobPlan> {
  await link.query('BEGIN');
  try {
    const table = await findTable(link, job.table);
    return job.type === 'INDEX_BUILD'
      ? await planIndex(link, job, table, readIndexText(text))
      : await planValidation(link, job.constraint, table);
  } catch (error) {
    throw error instanceof ServerError ? withoutPosition(error) : error;
  } finally {
    if (link.isOpen) await link.query('ROLLBACK');
  }
}

/** Where in the text an error is: the text that failed is not the client's. */
function withoutPosition({ fields }: ServerError): ServerError {
  return new ServerError(fields, encodeErrorResponse(fields));
}

async function findTable(link: ServerLink, { schema, name }: RelationName): Promise<Table> {
  const { rows } = await link.query(
    `SELECT c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      pg_catalog.has_schema_privilege(n.oid, 'CREATE'), pg_catalog.pg_relation_size(c.oid)
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = pg_catalog.to_regclass($1)`,
    [quoteRelation({ schema, name })],
  );
  const [found] = rows;
  if (found === undefined) {
    const path = schema === null ? name : `${schema}.${name}`;
    throw new DsqlError('42P01', `relation "${path}" does not exist`);
  }
  const [oid, itsSchema, itsName, kind, isOwner, mayCreate, bytes] = found;
  if (kind !== 'r') throw new DsqlError('42809', `"${name}" is not a table`);
  if (isOwner !== 't') throw new DsqlError('42501', `must be owner of table ${name}`);
  if (mayCreate !== 't') throw new DsqlError('42501', `permission denied for schema ${itsSchema}`);
  return {
    oid: oid ?? '',
    bytes: Number(bytes),
    schema: itsSchema ?? '',
    name: itsName ?? '',
  };
}

async function planIndex(
  link: ServerLink,
  job: Extract<Job, { readonly type: 'INDEX_BUILD' }>,
  table: Table,
  index: IndexText,
): Promise<JobPlan> {
  const given = job.index;
  const isTaken = given !== null && (await isNameTaken(link, table.schema, given));
  if (isTaken && !job.isIfNotExists) {
    throw new DsqlError('42P07', `relation "${given}" already exists`);
  }
  if (!isTaken) await refuseTooManyIndexes(link, table);
  const chosen = await rehearse(link, table, index);
  const name = given ?? (await freeName(link, table.schema, chosen));
  const create = `CREATE ${index.isUnique ? 'UNIQUE ' : ''}INDEX`;
  const on = `ON ${index.isOnly ? 'ONLY ' : ''}${quoteRelation(table)} ${index.rest}`;
  const isSmall = table.bytes <= QUICK_BYTES_MAX;
  return {
    type: job.type,
    sql: isTaken ? null : `${create} CONCURRENTLY ${quoteName(name)} ${on}`,
    quickSql: isSmall ? `${create} ${quoteName(name)} ${on}` : null,
    classId: PG_CLASS,
    objectId: 0,
    objectName: `${table.schema}.${name}`,
    index: quoteRelation({ schema: table.schema, name }),
  };
}

/** @throws DsqlError 54000 */
async function refuseTooManyIndexes(link: ServerLink, { oid }: Table): Promise<void> {
  const { rows } = await link.query(
    'SELECT count(*) FROM pg_catalog.pg_index WHERE indrelid = $1',
    [oid],
  );
  if (Number(rows[0]?.[0]) < INDEXES_MAX) return;
  throw new DsqlError('54000', `more than ${INDEXES_MAX} indexes per table are not allowed`);
}

/**
 * Makes the index on an empty copy of the table: that tells all that is wrong with its columns and
 * expressions, without waiting for anybody and without reading a row.
 *
 * @returns what PostgreSQL calls it
 */
async function rehearse(link: ServerLink, table: Table, index: IndexText): Promise<string> {
  const copy = quoteRelation({ schema: 'pg_temp', name: table.name });
  const original = quoteRelation(table);
  await link.query(`CREATE TABLE ${copy} (LIKE ${original} INCLUDING GENERATED)`);
  await link.query(`CREATE ${index.isUnique ? 'UNIQUE ' : ''}INDEX ON ${copy} ${index.rest}`);
  const { rows } = await link.query(
    `SELECT c.relname FROM pg_catalog.pg_index AS i
       JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
     WHERE i.indrelid = pg_catalog.to_regclass($1)`,
    [copy],
  );
  return rows[0]?.[0] ?? table.name;
}

async function isNameTaken(link: ServerLink, schema: string, name: string): Promise<boolean> {
  const { rows } = await link.query(
    `SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n
       ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  );
  return rows.length > 0;
}

/** As PostgreSQL does: the first of the numbers that is free is put behind it. */
async function freeName(link: ServerLink, schema: string, chosen: string): Promise<string> {
  let name = chosen;
  for (let number = 1; number <= NAMES_MAX; number++) {
    if (!(await isNameTaken(link, schema, name))) return name;
    const digits = String(number);
    name = cutBytes(chosen, NAME_BYTES_MAX - digits.length) + digits;
  }
  throw new DsqlError('42P07', `relation "${name}" already exists`);
}

/** The longest beginning of a text that has so many bytes at most. */
function cutBytes(text: string, bytesMax: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > bytesMax) cut = [...cut].slice(0, -1).join('');
  return cut;
}

async function planValidation(
  link: ServerLink,
  constraint: string,
  table: Table,
): Promise<JobPlan> {
  const { rows } = await link.query(
    'SELECT oid, contype FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND conname = $2',
    [table.oid, constraint],
  );
  const [oid, type] = rows[0] ?? [];
  const what = `constraint "${constraint}" of relation "${table.name}"`;
  if (oid == null) throw new DsqlError('42704', `${what} does not exist`);
  if (type !== 'c' && type !== 'f') {
    throw new DsqlError('42809', `${what} is not a foreign key or check constraint`);
  }
  const alter = `ALTER TABLE ${quoteRelation(table)}`;
  return {
    type: 'VALIDATE_CONSTRAINT',
    sql: `${alter} VALIDATE CONSTRAINT ${quoteName(constraint)}`,
    quickSql: null,
    classId: PG_CONSTRAINT,
    objectId: Number(oid),
    objectName: `${table.schema}.${table.name}.${constraint}`,
    index: null,
  };
}
