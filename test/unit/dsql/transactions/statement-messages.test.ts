import { describe, expect, it } from 'vitest';
import { readUint16 } from '../../../../src/base/bytes.ts';
import {
  encodeExplain,
  encodeWithColumn,
} from '../../../../src/dsql/transactions/statement-messages.ts';
import type { Execution } from '../../../../src/dsql/transactions/transaction.ts';

const int16 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) bytes.writeInt16BE(value, at * 2);
  return bytes;
};

/** Two parameter formats, a value of three bytes, a NULL, and formats of results. */
const head = Buffer.concat([
  int16(2, 0, 1, 2),
  Buffer.from([0, 0, 0, 3, 1, 2, 3]),
  Buffer.from([255, 255, 255, 255]),
]);

const execution = (...formats: readonly number[]): Execution => ({
  text: 'INSERT INTO t VALUES ($1, $2)',
  parameterTypes: [23, 25],
  bind: Buffer.concat([head, int16(formats.length, ...formats)]),
  write: null,
});

/** The content of Bind behind its names. */
function bindOf(messages: Buffer): Buffer {
  let at = 0;
  while (messages[at] !== 0x42) at += 1 + messages.readUInt32BE(at + 1);
  return messages.subarray(at + 7, at + 1 + messages.readUInt32BE(at + 1));
}

describe('a result with one more column', () => {
  it.each([
    [[], [0]],
    [[1], [1, 1]],
    [
      [1, 0],
      [3, 1, 0, 0],
    ],
  ])('has formats %j said as %j', (formats, expected) => {
    const bind = bindOf(encodeWithColumn(execution(...formats), 'other'));
    expect(bind.subarray(0, head.length)).toEqual(head);
    expect(bind.subarray(head.length)).toEqual(int16(...expected));
  });

  it('is asked for in a simple Query by its text alone', () => {
    const messages = encodeWithColumn({ ...execution(), bind: null }, 'other');
    expect(messages.toString()).toBe('Q\0\0\0\x0aother\0');
  });
});

describe('a question for the plan', () => {
  it('has the parameters of the statement, and its own result as text', () => {
    const messages = encodeExplain(execution(1, 1, 1));
    expect(messages.toString('latin1')).toContain(
      'EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) INSERT',
    );
    const bind = bindOf(messages);
    expect(bind.subarray(0, head.length)).toEqual(head);
    expect(readUint16(bind, head.length)).toBe(0);
    expect(bind).toHaveLength(head.length + 2);
  });
});
