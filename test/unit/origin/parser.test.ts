import { expect, it } from 'vitest';
import { loadParser } from '../../../src/origin/parser.ts';

it('replaces a parser that ran out of its stack', async () => {
  const parser = await loadParser();
  const deep = `SELECT 1${'+1'.repeat(60_000)}`;
  for (let times = 0; times < 2; times++) {
    expect(() => parser.parse(deep)).toThrow(/stack|bounds|unreachable/);
    expect(() => parser.parse('SELECT 1')).toThrow('the parser is being replaced');
    await expect.poll(() => parser.parse('SELECT 1')['stmts']).toHaveLength(1);
  }
});

it('takes the empty text, as PostgreSQL does', async () => {
  const parser = await loadParser();
  expect(parser.parse('')).toEqual({ stmts: [] });
});
