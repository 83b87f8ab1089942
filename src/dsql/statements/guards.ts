/**
 * What only the catalogue knows: whether a constraint is a primary key, what type a column has.
 * Each guard is a query that answers a row with the text of a refusal, or none; it runs as the
 * client's role, with its `search_path`, before the statement.
 */
import { asObject, type Json } from '../../sql/facts/parser.ts';
import { quoteRelation } from '../sql-text.ts';
import { storableTypes } from './column-types.ts';
import type { Guard, RelationName } from './judgement.ts';
import { qualifiedName } from './tree.ts';

/** As a list of SQL. */
const storableList = [...storableTypes.keys()].map((type) => `'${type}'`).join(',');

const guard = (query: string, ...parameters: string[]): Guard => ({
  sqlstate: '0A000',
  query,
  parameters,
});

/** A constraint that is dropped may be no primary key. */
export const guardDropConstraint = (table: RelationName, constraint: string): Guard =>
  guard(
    `SELECT 'unsupported ALTER TABLE DROP CONSTRAINT statement'
       FROM pg_catalog.pg_constraint
      WHERE conrelid = pg_catalog.to_regclass($1) AND conname = $2 AND contype = 'p'`,
    quoteRelation(table),
    constraint,
  );

/** Nor may a column of it be dropped. */
export const guardDropColumn = (table: RelationName, column: string): Guard =>
  guard(
    `SELECT 'cannot drop primary key column ' || a.attname
       FROM pg_catalog.pg_constraint c
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
      WHERE c.conrelid = pg_catalog.to_regclass($1) AND c.contype = 'p' AND a.attname = $2`,
    quoteRelation(table),
    column,
  );

/** Whether an index can hold a column. */
export const guardKeyColumn = (table: RelationName, column: string): Guard =>
  guard(
    `SELECT 'datatype ' || pg_catalog.format_type(atttypid, NULL) || ' is not supported in a key'
       FROM pg_catalog.pg_attribute
      WHERE attrelid = pg_catalog.to_regclass($1) AND attname = $2 AND NOT attisdropped
        AND atttypid IN ('pg_catalog.json'::regtype, 'pg_catalog.jsonb'::regtype)`,
    quoteRelation(table),
    column,
  );

/** A column that becomes an identity column. */
export const guardIdentityColumn = (table: RelationName, column: string): Guard =>
  guard(
    `SELECT 'datatype ' || pg_catalog.format_type(atttypid, atttypmod)
            || ' not supported, identity column type must be bigint'
       FROM pg_catalog.pg_attribute
      WHERE attrelid = pg_catalog.to_regclass($1) AND attname = $2 AND NOT attisdropped
        AND atttypid <> 'pg_catalog.int8'::regtype`,
    quoteRelation(table),
    column,
  );

/** A type that is not PostgreSQL's own must be a domain: rows of tables are no columns. */
export function guardOwnType(typeName: Json | undefined): Guard {
  const name = qualifiedName(asObject(typeName)?.['names']);
  return guard(
    `SELECT 'datatype ' || pg_catalog.format_type(oid, NULL) || ' not supported'
       FROM pg_catalog.pg_type
      WHERE oid = pg_catalog.to_regtype($1) AND typtype <> 'd'
        AND typname NOT IN (${storableList})`,
    quoteRelation(name),
  );
}

/** What LIKE copies: a view can have columns of types that no table has. */
export const guardLike = (source: RelationName): Guard =>
  guard(
    `SELECT 'datatype ' || pg_catalog.format_type(t.oid, NULL) || ' not supported'
       FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
        AND t.typtype <> 'd' AND t.typname NOT IN (${storableList}) LIMIT 1`,
    quoteRelation(source),
  );
