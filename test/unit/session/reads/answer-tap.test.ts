import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerTap } from '../../../../src/session/reads/answer-tap.ts';
import type { Capture } from '../../../../src/session/reads/read-cache.ts';
import { message } from '../../../support/wire-messages.ts';

class Taken implements Capture {
  isOver = false;
  description = '';
  rows = '';
  end = '';

  describe(chunk: Uint8Array, start: number, end: number): void {
    this.description += Buffer.from(chunk.subarray(start, end)).toString('latin1');
  }

  append(chunk: Uint8Array, start: number, end: number): void {
    this.rows += Buffer.from(chunk.subarray(start, end)).toString('latin1');
  }

  knowRowType(): void {}

  complete(): void {
    this.end = 'complete';
    this.isOver = true;
  }

  abandon(): void {
    if (!this.isOver) this.end = 'abandoned';
    this.isOver = true;
  }
}

const empty = Buffer.alloc(0);
const description = message('T', Buffer.from('what the columns are'));
const rows = Buffer.concat([
  message('D', Buffer.from('one')),
  message('D', Buffer.alloc(10_000, 'x')),
  message('C', Buffer.from('SELECT 2\0')),
]);
const ready = message('Z', Buffer.from('I'));
const answer = Buffer.concat([message('1', empty), message('2', empty), description, rows, ready]);

function take(chunks: readonly Uint8Array[]): Taken {
  const taken = new Taken();
  const tap = new AnswerTap(taken);
  for (const chunk of chunks) tap.feed(chunk, 0, chunk.length);
  return taken;
}

describe('a tap', () => {
  it('takes an answer in whatever pieces it comes, and nothing behind it', () => {
    const all = Buffer.concat([answer, message('D', Buffer.from('of the next unit'))]);
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 12 }), (cuts) => {
        const ends = [...cuts, all.length].sort((a, b) => a - b);
        const chunks = ends.map((end, n) => all.subarray(ends[n - 1] ?? 0, end));
        const taken = take(chunks);
        expect(taken.description).toBe(description.toString('latin1'));
        expect(taken.rows).toBe(rows.toString('latin1'));
        expect(taken.end).toBe('complete');
      }),
    );
  });

  it.each(['E', 'N', 'S', 'A', 's', 'I', 'G', 'H', 'd'])(
    'takes nothing with a message %s',
    (code) => {
      const other = message(code, Buffer.from('anything'));
      expect(take([Buffer.concat([description, other, rows, ready])]).end).toBe('abandoned');
    },
  );

  it('takes nothing of what tells of the statement', () => {
    const told = [message('1', Buffer.alloc(0)), message('t', Buffer.alloc(2))];
    const ofStatement = message('T', Buffer.from('\0\0'));
    const taken = take([Buffer.concat([...told, ofStatement, rows, ready])]);
    expect(taken).toMatchObject({ end: 'complete', description: '' });
    const both = take([Buffer.concat([...told, ofStatement, description, rows, ready])]);
    expect(both).toMatchObject({ end: 'complete', description: description.toString('latin1') });
  });

  it('takes nothing that ends in a transaction', () => {
    const open = message('Z', Buffer.from('T'));
    expect(take([Buffer.concat([description, rows, open])]).end).toBe('abandoned');
  });
});
