/** When a client's reads may go to readers, as its own writes and its settings have it. */
import { expect, it } from 'vitest';
import type { Session } from '../../../../src/session/session.ts';
import type { Readers } from '../../../../src/session/session-host.ts';
import { Settings } from '../../../../src/session/settings.ts';
import { ReaderTurn } from '../../../../src/session/sharing/reader-turn.ts';
import type { Facts } from '../../../../src/sql/facts/facts.ts';

const SETTLED_MS = 10_000;

/** Readers that have a write after ten seconds. */
class Clocked implements Readers {
  readonly sharing = null;
  clockMs = 50_000;
  isTaking = true;

  nowMs(): number {
    return this.clockMs;
  }

  mayServe(wroteAtMs: number): boolean {
    return this.clockMs - wroteAtMs >= SETTLED_MS;
  }

  takes(): boolean {
    return this.isTaking;
  }

  onRefused(): void {}
  onStatementRefused(): void {}
  onAnswered(): void {}
}

type Stage = {
  readonly turn: ReaderTurn;
  readonly readers: Clocked;
  readonly host: { readers: Readers | null };
  readonly session: { isSessionMode: boolean; settings: Settings; reads: unknown };
};

function stage(): Stage {
  const readers = new Clocked();
  const host: Stage['host'] = { readers };
  const session = { host, isSessionMode: false, settings: Settings.NONE, reads: null };
  return { turn: new ReaderTurn(session as unknown as Session), readers, host, session };
}

it('a client that has never written is served by readers', () => {
  expect(stage().turn.mayServe).toBe(true);
});

it('a client that has written is served by them when they have what it wrote', () => {
  const { turn, readers } = stage();
  turn.noteWrites(true);
  expect(turn.mayServe).toBe(false);
  readers.clockMs += SETTLED_MS - 1;
  turn.noteWrites(false);
  expect(turn.mayServe).toBe(false);
  readers.clockMs += 1;
  expect(turn.mayServe).toBe(true);
});

it('a write counts that was made while there were no readers, from when they are there', () => {
  const { turn, readers, host } = stage();
  host.readers = null;
  turn.noteWrites(true);
  expect(turn.mayServe).toBe(false);
  readers.clockMs += 60 * SETTLED_MS;
  host.readers = readers;
  expect(turn.mayServe).toBe(false);
  readers.clockMs += SETTLED_MS - 1;
  expect(turn.mayServe).toBe(false);
  readers.clockMs += 1;
  expect(turn.mayServe).toBe(true);
});

it('a later write while the readers are away counts again', () => {
  const { turn, readers, host } = stage();
  turn.noteWrites(true);
  readers.clockMs += SETTLED_MS;
  expect(turn.mayServe).toBe(true);
  host.readers = null;
  turn.noteWrites(true);
  host.readers = readers;
  expect(turn.mayServe).toBe(false);
});

it('nobody is served who keeps a link, or whose transactions readers refuse', () => {
  const { turn, session } = stage();
  session.isSessionMode = true;
  expect(turn.mayServe).toBe(false);
  session.isSessionMode = false;
  session.settings = Settings.NONE.with('default_transaction_isolation', 'SERIALIZABLE');
  expect(turn.mayServe).toBe(false);
});

it('what is refused there, and what is to be kept for others, is not taken there', () => {
  const { turn, readers, session } = stage();
  const unit = Buffer.from('Q');
  const facts = {} as Facts;
  expect(turn.take(unit, facts)).toBe(true);
  expect(turn.isMeant).toBe(true);
  turn.forget();
  expect(turn.isMeant).toBe(false);
  session.reads = { isTaken: false };
  expect(turn.take(unit, facts)).toBe(false);
  session.reads = { isTaken: true };
  expect(turn.take(unit, facts)).toBe(true);
  turn.forget();
  readers.isTaking = false;
  expect(turn.take(unit, facts)).toBe(false);
  expect(turn.isMeant).toBe(false);
});
