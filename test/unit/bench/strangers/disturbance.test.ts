import { describe, expect, it } from 'vitest';
import { UnprovenError } from '../../../../bench/load/counters.ts';
import { proveDisturbed } from '../../../../bench/strangers/disturbance.ts';

const done = { locks: 4, lockWaits: 9, coldMs: [3, 210], stalls: 5 };
const log = (what: object): string => `ready\n${JSON.stringify(what)}\n`;

describe('other clients that disturb', () => {
  it('have done all that they are for', () => {
    expect(() => proveDisturbed(log(done))).not.toThrow();
  });

  it.each([
    ['no locks', { ...done, locks: 0 }],
    ['nobody who waits for one', { ...done, lockWaits: 0 }],
    ['no read that takes long', { ...done, coldMs: [3, 4] }],
    ['no stalled result', { ...done, stalls: 0 }],
  ])('prove nothing with %s', (_, what) => {
    expect(() => proveDisturbed(log(what))).toThrow(UnprovenError);
  });

  it('prove nothing when they fail', () => {
    expect(() => proveDisturbed('ready\nError: refused\n')).toThrow('Error: refused');
  });
});
