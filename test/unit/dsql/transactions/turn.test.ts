import { describe, expect, it } from 'vitest';
import { Turn } from '../../../../src/dsql/transactions/turn.ts';

const FOREVER_MS = 60_000;
const never = (): AbortSignal => new AbortController().signal;

describe('a turn', () => {
  it('is had by one at a time, in order', async () => {
    const turn = new Turn();
    const order: string[] = [];
    const first = await turn.take(FOREVER_MS, never());
    const use = async (name: string): Promise<void> => {
      const release = await turn.take(FOREVER_MS, never());
      order.push(name);
      release?.();
    };
    const both = [use('second'), use('third')];
    await Promise.resolve();
    expect(order).toEqual([]);
    first?.();
    await Promise.all(both);
    expect(order).toEqual(['second', 'third']);
  });

  it('is not had by who waited too long, nor held up by that', async () => {
    const turn = new Turn();
    const first = await turn.take(FOREVER_MS, never());
    expect(await turn.take(1, never())).toBeNull();
    first?.();
    expect(await turn.take(1, never())).not.toBeNull();
  });

  it('goes to the next when one gives up', async () => {
    const turn = new Turn();
    const first = await turn.take(FOREVER_MS, never());
    const leaving = new AbortController();
    const second = turn.take(FOREVER_MS, leaving.signal);
    const third = turn.take(FOREVER_MS, never());
    leaving.abort();
    expect(await second).toBeNull();
    expect(await turn.take(FOREVER_MS, leaving.signal)).toBeNull();
    first?.();
    expect(await third).not.toBeNull();
  });

  it('is given back once, however often that is said', async () => {
    const turn = new Turn();
    const first = await turn.take(FOREVER_MS, never());
    const second = turn.take(FOREVER_MS, never());
    first?.();
    first?.();
    await second;
    expect(await turn.take(1, never())).toBeNull();
  });
});
