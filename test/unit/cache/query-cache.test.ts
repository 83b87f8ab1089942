import { beforeEach, describe, expect, it } from 'vitest';
import type { Fill } from '../../../src/cache/fill.ts';
import { Habit } from '../../../src/cache/habit.ts';
import { type CacheQuestion, QueryCache } from '../../../src/cache/query-cache.ts';
import { RelationVersions } from '../../../src/cache/relation-versions.ts';

const policy = {
  maxAgeMs: 100,
  staleWhileRevalidateMs: 50,
  staleIfErrorMs: 500,
  resultBytesMax: 10_000,
};

let cache: QueryCache;
let versions: RelationVersions;
let habit: Habit;

beforeEach(() => {
  cache = new QueryCache(100_000);
  versions = new RelationVersions();
  habit = new Habit();
});

function question(key: string, more: Partial<CacheQuestion> = {}): CacheQuestion {
  return { key, reads: [1], versions, policy, needsDescription: false, habit, ...more };
}

/** Asks the server, as who has missed does. */
function missed(key: string, nowMs: number, more: Partial<CacheQuestion> = {}): Fill {
  const reply = cache.ask(question(key, more), nowMs);
  if (reply.kind !== 'miss' || reply.fill === null) throw new Error(`it was a ${reply.kind}`);
  return reply.fill;
}

function answer(fill: Fill, text: string, description: string | null = 'desc'): void {
  if (description !== null) fill.describe(Buffer.from(description), 0, description.length);
  // In two parts of a chunk that goes on being used.
  const chunk = Buffer.from(`xx${text}yy`);
  fill.append(chunk, 2, 3);
  fill.append(chunk, 3, 2 + text.length);
  chunk.fill(0);
  fill.complete();
}

function textOf(key: string, nowMs: number): string {
  const reply = cache.ask(question(key), nowMs);
  return reply.kind === 'hit' ? Buffer.from(reply.answer.rows).toString() : reply.kind;
}

describe('an answer', () => {
  it('is given while it is young, as old as the moment it was asked for', () => {
    answer(missed('a', 10), 'rows');
    expect(textOf('a', 109)).toBe('rows');
    expect(textOf('a', 110)).not.toBe('rows');
    expect(textOf('b', 20)).toBe('miss');
  });

  it('is given a little longer while one asker fetches a new one', () => {
    answer(missed('a', 0), 'old');
    const first = cache.ask(question('a'), 120);
    const second = cache.ask(question('a'), 120);
    expect([first.kind, second.kind]).toEqual(['stale', 'stale']);
    if (first.kind !== 'stale' || second.kind !== 'stale') return;
    expect(second.refresh).toBeNull();
    answer(first.refresh as Fill, 'new');
    expect(textOf('a', 130)).toBe('new');
  });

  it('is spare for when the server cannot be asked, and then none at all', () => {
    answer(missed('a', 0), 'old');
    const reply = cache.ask(question('a'), 500);
    expect(reply.kind === 'miss' && reply.spare?.rows.toString()).toBe('old');
    if (reply.kind === 'miss') reply.fill?.abandon();
    const late = cache.ask(question('a'), 600);
    expect(late.kind === 'miss' && late.spare).toBeNull();
  });

  it('without its description is not for who needs one', () => {
    answer(missed('a', 0), 'rows', null);
    expect(textOf('a', 1)).toBe('rows');
    expect(cache.ask(question('a', { needsDescription: true }), 1).kind).toBe('miss');
  });
});

describe('a write', () => {
  it('makes answers old that were asked for before it', () => {
    answer(missed('a', 0), 'before');
    versions.fence([1]);
    const during = cache.ask(question('a'), 1);
    expect(during).toEqual({ kind: 'miss', fill: null, spare: null });
    versions.lift([1]);
    expect(textOf('a', 2)).toBe('miss');
    expect(cache.answerCount).toBe(0);
  });

  it('keeps an answer under way from being kept or shared', () => {
    const fill = missed('a', 0);
    const seen: string[] = [];
    fill.join({ onAnswer: () => seen.push('answer'), onGone: () => seen.push('gone') });
    versions.fence([1]);
    versions.lift([1]);
    expect(cache.ask(question('a'), 1)).toMatchObject({ kind: 'miss', fill: null });
    answer(fill, 'before');
    expect(seen).toEqual(['gone']);
    expect(textOf('a', 1)).toBe('miss');
  });

  it('means nothing in mode ttl', () => {
    const ttl = { versions: null };
    answer(missed('a', 0, ttl), 'rows');
    versions.fence([1]);
    expect(cache.ask(question('a', ttl), 1).kind).toBe('hit');
  });
});

describe('those who ask the same', () => {
  it('wait for one answer', () => {
    const fill = missed('a', 0);
    const reply = cache.ask(question('a'), 1);
    if (reply.kind !== 'pending') throw new Error(reply.kind);
    const seen: string[] = [];
    reply.fill.join({
      onAnswer: ({ rows }) => seen.push(Buffer.from(rows).toString()),
      onGone: () => seen.push('gone'),
    });
    answer(fill, 'rows');
    expect(seen).toEqual(['rows']);
  });

  it('are told when there will be none', () => {
    const fill = missed('a', 0);
    const seen: string[] = [];
    const joiner = { onAnswer: () => seen.push('answer'), onGone: () => seen.push('gone') };
    fill.join(joiner);
    const patient = { ...joiner };
    fill.join(patient);
    fill.leave(joiner);
    fill.abandon();
    fill.complete();
    expect(seen).toEqual(['gone']);
    expect(textOf('a', 1)).toBe('miss');
  });

  it('do not wait for one that lacks what they need', () => {
    missed('a', 0);
    const reply = cache.ask(question('a', { needsDescription: true }), 1);
    expect(reply).toEqual({ kind: 'miss', fill: null, spare: null });
  });
});

describe('the budget', () => {
  it('is kept by dropping what was used longest ago', () => {
    const rows = 'x'.repeat(9000);
    for (let n = 0; n < 10; n++) answer(missed(`k${n}`, 0), rows);
    expect(textOf('k0', 1)).toBe(rows);
    for (let n = 10; n < 15; n++) answer(missed(`k${n}`, 0), rows);
    expect(cache.bytes).toBeLessThanOrEqual(100_000);
    expect(textOf('k0', 1)).toBe(rows);
    expect(textOf('k1', 1)).toBe('miss');
  });

  it('takes in no answer above the limit of one', () => {
    const fill = missed('a', 0);
    answer(fill, 'x'.repeat(10_001));
    expect(fill.isOver).toBe(true);
    expect(cache.answerCount).toBe(0);
    expect(cache.fillBytes).toBe(0);
  });

  it('holds for all answers under way together', () => {
    const fills = Array.from({ length: 20 }, (_, n) => missed(`k${n}`, 0));
    for (const fill of fills) fill.append(Buffer.alloc(9000), 0, 9000);
    expect(cache.fillBytes).toBeLessThanOrEqual(100_000);
    expect(fills.filter(({ isOver }) => !isOver)).toHaveLength(11);
    cache.clear();
    expect(cache.fillBytes).toBe(0);
  });

  it('can be made smaller', () => {
    for (let n = 0; n < 10; n++) answer(missed(`k${n}`, 0), 'x'.repeat(1000));
    cache.resize(5000);
    expect(cache.bytes).toBeLessThanOrEqual(5000);
    expect(cache.answerCount).toBe(3);
  });
});

describe('a kind of reads', () => {
  /** Asks for keys that nobody asks for again; how many answers were taken. */
  function askOnce(count: number, prefix: string): number {
    let taken = 0;
    for (let n = 0; n < count; n++) {
      const reply = cache.ask(question(`${prefix} ${n}`), 0);
      if (reply.kind !== 'miss' || reply.fill === null) continue;
      taken++;
      answer(reply.fill, 'rows');
    }
    return taken;
  }

  it('of which thousands were asked for once is kept when it is asked for twice', () => {
    expect(askOnce(4096, 'at first')).toBe(4096);
    expect(askOnce(1000, 'later')).toBeLessThan(5);
    expect(textOf('new', 0)).toBe('miss');
    expect(textOf('other', 0)).toBe('miss');
    answer(missed('new', 0), 'rows');
    expect(textOf('new', 0)).toBe('rows');
    // Of another kind it would have been taken.
    answer(missed('its own', 0, { habit: new Habit() }), 'rows');
  });

  it('is kept at once again when its answers are given', () => {
    askOnce(4096, 'at first');
    expect(askOnce(10, 'later')).toBe(0);
    expect(textOf('new', 0)).toBe('miss');
    answer(missed('new', 0), 'rows');
    for (let n = 0; n < 100; n++) expect(textOf('new', 0)).toBe('rows');
    expect(askOnce(10, 'much later')).toBe(10);
  });

  it('of which one in fifty is answered from memory is kept at once', () => {
    answer(missed('hot', 0), 'rows');
    for (let n = 0; n < 300; n++) {
      expect(askOnce(50, `round ${n}`)).toBe(50);
      expect(textOf('hot', 0)).toBe('rows');
    }
  });
});
