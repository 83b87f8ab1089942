import { describe, expect, it } from 'vitest';
import { Kind, RECORD_WORDS, Word, WriteLog } from '../../../src/cache/write-log.ts';

describe('a log of writes', () => {
  it('keeps what cannot be written, and writes it with what comes next', () => {
    const written: number[][] = [];
    let isFull = true;
    let announced = 0;
    const log = new WriteLog({
      capacity: 1_024,
      count: () => 0,
      read: () => new Uint32Array(),
      write: (start, records) => {
        if (isFull) throw new Error('no space left');
        expect(start).toBe(announced);
        for (let at = 0; at < records.length; at += RECORD_WORDS) {
          written.push([...records.subarray(at, at + RECORD_WORDS)]);
        }
      },
      announce: (count) => {
        announced = count;
      },
    });
    log.fence(1, 9, 100, [7]);
    expect(() => log.flush()).toThrow('no space left');
    isFull = false;
    log.lift(1, 9, false);
    log.flush();
    expect(written.map((words) => words[Word.Kind])).toEqual([Kind.Fence, Kind.Lift]);
    expect(announced).toBe(2);
  });
});
