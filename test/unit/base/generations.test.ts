import { describe, expect, it } from 'vitest';
import { Generations } from '../../../src/base/generations.ts';

describe('two generations', () => {
  it('keep what is asked for, and forget what nobody asks for, within the entries', () => {
    const kept = new Generations<number>(10, 10_000, 0);
    kept.set('used', 1);
    kept.set('unused', 2);
    for (let at = 0; at < 100; at++) {
      kept.set(`new ${at}`, at);
      expect(kept.get('used')).toBe(1);
      expect(kept.size).toBeLessThanOrEqual(10);
    }
    expect(kept.get('unused')).toBeUndefined();
    expect(kept.get('new 99')).toBe(99);
  });

  it('keep within the bytes, and nothing that is larger than one of them', () => {
    const kept = new Generations<string>(1000, 200, 10);
    for (let at = 10; at < 60; at++) {
      kept.set(`key ${at}`, 'value');
      expect(kept.bytes).toBeLessThanOrEqual(200);
      expect(kept.bytes).toBe(kept.size * 16);
    }
    kept.set('x'.repeat(91), 'too long');
    expect(kept.get('x'.repeat(91))).toBeUndefined();
    expect(kept.get('key 59')).toBe('value');
  });

  it('count a key once, whichever of them it is in', () => {
    const kept = new Generations<number>(4, 10_000, 1);
    for (const key of ['a', 'b', 'c']) kept.set(key, 0);
    kept.set('a', 1);
    kept.set('c', 2);
    expect([kept.size, kept.bytes]).toEqual([3, 6]);
    expect([kept.get('a'), kept.get('b'), kept.get('c')]).toEqual([1, 0, 2]);
    kept.delete('b');
    expect([kept.size, kept.bytes]).toEqual([2, 4]);
    kept.clear();
    expect([kept.size, kept.bytes, kept.get('a')]).toEqual([0, 0, undefined]);
  });
});
