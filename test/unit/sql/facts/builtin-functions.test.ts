import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  builtinFunctionEffect,
  builtinFunctionsWith,
} from '../../../../src/sql/facts/builtin-functions.ts';
import { Effect } from '../../../../src/sql/facts/facts.ts';

/** `SELECT DISTINCT proname … WHERE provolatile = 'v'` of `pg_catalog`, of one major version. */
function volatileNames(version: number): string[] {
  const url = new URL(`data/volatile-${version}.txt`, import.meta.url);
  return readFileSync(url, 'utf8').trim().split('\n');
}

describe('the table of built-in functions', () => {
  it.each([15, 18])('classifies every volatile function of PostgreSQL %i', (version) => {
    const names = volatileNames(version);
    expect(names.length).toBeGreaterThan(200);
    expect(names.filter((name) => builtinFunctionEffect(name) === undefined)).toEqual([]);
  });

  it('knows session locks from those of a transaction', () => {
    expect(builtinFunctionEffect('pg_advisory_lock')).toBe(Effect.Session);
    expect(builtinFunctionEffect('pg_try_advisory_lock_shared')).toBe(Effect.Session);
    expect(builtinFunctionEffect('pg_advisory_xact_lock')).toBe(Effect.None);
  });

  it('takes what runs SQL handed over as text for permanent', () => {
    const permanent = builtinFunctionsWith(Effect.Permanent);
    for (const name of ['query_to_xml', 'table_to_xml', 'schema_to_xml', 'ts_stat', 'set_config']) {
      expect(permanent).toContain(name);
    }
  });
});
