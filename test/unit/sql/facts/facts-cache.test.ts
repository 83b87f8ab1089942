import { beforeAll, describe, expect, it } from 'vitest';
import { loadParser } from '../../../../src/origin/parser.ts';
import { Effect, type Facts } from '../../../../src/sql/facts/facts.ts';
import { defaultFactsCacheLimits, FactsCache } from '../../../../src/sql/facts/facts-cache.ts';
import type { SqlParser } from '../../../../src/sql/facts/parser.ts';

let parser: SqlParser;
beforeAll(async () => {
  parser = await loadParser();
});

function lookup(cache: FactsCache, text: string, unsafe = false): Facts {
  const bytes = Buffer.from(`..${text}..`);
  return cache.lookup(bytes, 2, bytes.length - 2, unsafe);
}

describe('FactsCache', () => {
  it('parses a shape once', () => {
    const cache = new FactsCache(parser);
    const first = lookup(cache, "SELECT * FROM t WHERE a = 'x' AND b IN (1, 2)");
    expect(lookup(cache, "SELECT * FROM t  WHERE a = 'y' AND b IN (3,4,5)")).toBe(first);
    expect(cache.parseCount).toBe(1);
  });

  // Fails when ShapeWriter.marker or #closeRow folds no lists.
  it('hazard 26: lists behind IN of any values and length are parsed once', () => {
    const cache = new FactsCache(parser);
    let serial = 0;
    for (let length = 1; length <= 500; length++) {
      const values = Array.from({ length }, () => serial++);
      lookup(cache, `SELECT * FROM t WHERE a IN (${values.join(', ')})`);
      lookup(cache, `SELECT * FROM t WHERE (a, b) IN (${values.map((n) => `(${n}, 'x')`)})`);
    }
    // Lists of one have shapes of their own.
    expect(cache.parseCount).toBeLessThanOrEqual(4);
    expect(cache.bytes).toBeLessThan(10_000);
  });

  it('keeps facts apart that depend on a literal', () => {
    const cache = new FactsCache(parser);
    const a = lookup(cache, "SELECT set_config('app.a', '1', false)");
    const b = lookup(cache, "SELECT set_config('app.b', '1', false)");
    expect([a.settingNames, b.settingNames]).toEqual([['app.a'], ['app.b']]);
    expect(lookup(cache, "SELECT set_config('app.a', '1', false)").settingNames).toEqual(['app.a']);
    expect(lookup(cache, "SELECT set_config('app.b', '1', false)")).toBe(b);
    expect(cache.parseCount).toBe(2);
  });

  it('knows a time that is read when the statement is parsed, for the texts that have one', () => {
    const cache = new FactsCache(parser);
    const time = (text: string) => lookup(cache, text).timeLiteral;
    expect(time("SELECT * FROM t WHERE d = '2024-01-01'")).toBe(false);
    expect(time("SELECT * FROM t WHERE d = 'today'")).toBe(true);
    expect(time("SELECT * FROM t WHERE d = '2024-01-02'")).toBe(false);
    expect(time("SELECT * FROM t WHERE d = 'yesterday'")).toBe(true);
    // Two shapes, and not one for each text.
    expect(cache.parseCount).toBe(2);
    expect(lookup(cache, "SELECT 'a").timeLiteral).toBe(true);
  });

  it('does not blame a shape for one text that the parser refuses', () => {
    const cache = new FactsCache(parser);
    expect(lookup(cache, 'SELECT $1::float(0)').unparsed).toBe(true);
    expect(lookup(cache, 'SELECT $1::float(0)').unparsed).toBe(true);
    expect(cache.parseCount).toBe(1);
    expect(lookup(cache, 'SELECT $1::float(9)').unparsed).toBe(false);
  });

  it('reads nothing of a text whose bytes may mean something else', () => {
    const cache = new FactsCache(parser);
    expect(lookup(cache, 'SELECT 1', true)).toMatchObject({
      unparsed: true,
      effects: Effect.Session | Effect.Permanent,
    });
    expect(lookup(cache, 'SELECT 1')).toMatchObject({ unparsed: false, effects: Effect.None });
  });

  it('reads nothing of a text that is too long', () => {
    const cache = new FactsCache(parser, { ...defaultFactsCacheLimits, textBytesMax: 20 });
    expect(lookup(cache, 'SELECT 1             ')).toMatchObject({
      unparsed: true,
      effects: Effect.Session | Effect.Permanent,
    });
    expect(cache.parseCount).toBe(0);
  });

  it.each([
    ['brackets', `SELECT ${'('.repeat(3000)}1${')'.repeat(3000)}`],
    ['selects', `SELECT ${'(SELECT '.repeat(3000)}1${')'.repeat(3000)}`],
    ['operators', `SELECT 1${'+1'.repeat(50_000)}`],
    ['unions', `SELECT 1${' UNION SELECT 1'.repeat(30_000)}`],
    ['negations', `SELECT ${'NOT '.repeat(30_000)}true`],
    ['casts', `SELECT 1${'::a'.repeat(30_000)}`],
    ['subscripts', `SELECT a${'[1]'.repeat(30_000)}`],
    ['dots', `SELECT a${'.a'.repeat(60_000)}`],
    ['signs', `SELECT ${'- '.repeat(30_000)}1`],
    ['joins', `SELECT FROM a${' JOIN a ON 1'.repeat(30_000)}`],
  ])('keeps the parser alive under many %s', (_, text) => {
    const cache = new FactsCache(parser);
    const { effects, unparsed } = lookup(cache, text);
    expect([Effect.None, Effect.Session | Effect.Permanent, Effect.Session]).toContain(effects);
    expect(effects === Effect.None || unparsed).toBe(true);
    expect(lookup(cache, 'SELECT 1 FROM t').relations).toMatchObject([{ name: 't' }]);
  });

  it('reads a long list, and a long statement that is not deep', () => {
    const cache = new FactsCache(parser);
    const rows = Array.from({ length: 5_000 }, (_, i) => `(${i}, $${i + 1}, 'x')`).join(', ');
    expect(lookup(cache, `INSERT INTO t VALUES ${rows}`)).toMatchObject({ verb: 'InsertStmt' });
  });

  it('stays within its limits, and keeps what is used', () => {
    const cache = new FactsCache(parser, { ...defaultFactsCacheLimits, entriesMax: 100 });
    const kept = lookup(cache, 'SELECT kept');
    for (let i = 0; i < 1000; i++) {
      lookup(cache, `SELECT a${i}`);
      lookup(cache, `DO $$ BEGIN PERFORM ${i}; END $$`);
      if (i % 20 === 0) expect(lookup(cache, 'SELECT kept')).toBe(kept);
      expect(cache.entryCount).toBeLessThanOrEqual(200);
    }
    const bytesMax = 64 * 1024;
    const small = new FactsCache(parser, { ...defaultFactsCacheLimits, bytesMax });
    for (let i = 0; i < 200; i++) lookup(small, `SELECT a${i} AS ${'b'.repeat(500)}`);
    expect(small.bytes).toBeLessThanOrEqual(bytesMax);
    expect(small.entryCount).toBeGreaterThan(5);
  });
});
