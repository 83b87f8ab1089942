/** Transactions that get in the way of another one, over row 1 of a table `s (id, v)`. */
import { expect } from 'vitest';
import type { CourtClient, TestCourt } from './dsql-court.ts';

const SENTINEL = 'UPDATE s SET v = v + 1 WHERE id = 1';

/** Has it lose its locks, and get them back when it goes on. */
export async function park(court: TestCourt, client: CourtClient): Promise<void> {
  expect(await client.run(SENTINEL)).toBe('UPDATE 1');
  const rival = await court.begin();
  expect(await rival.run(SENTINEL)).toBe('UPDATE 1');
  await rival.rollback();
}

/** Has it lose against a transaction that commits: it goes on in copies. */
export async function lose(court: TestCourt, client: CourtClient): Promise<void> {
  expect(await client.run(SENTINEL)).toBe('UPDATE 1');
  const rival = await court.begin();
  expect(await rival.run(SENTINEL)).toBe('UPDATE 1');
  expect(await rival.commit()).toBe('COMMIT');
}
