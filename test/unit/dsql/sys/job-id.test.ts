import { describe, expect, it } from 'vitest';
import { checkJobId, makeJobId } from '../../../../src/dsql/sys/job-id.ts';

const idOf = (bytes: Uint8Array): string => makeJobId({ bytes: () => bytes });

describe('makeJobId', () => {
  // dsql §5.72
  it.each([
    [new Uint8Array(16), 'a'.repeat(26)],
    [new Uint8Array(16).fill(255), `${'7'.repeat(25)}4`],
    [
      Uint8Array.of(0x08, 0x86, 0x42, 0x98, 0xe8, ...new Uint8Array(11)),
      'bcdefghi'.padEnd(26, 'a'),
    ],
  ])('is base32 without padding: %o', (bytes, expected) => {
    expect(idOf(bytes)).toBe(expected);
    expect(() => checkJobId(expected)).not.toThrow();
  });

  it('begins as RFC 4648 has it', () => {
    expect(idOf(Buffer.from('foobarfoobarfoob')).slice(0, 8)).toBe('mzxw6ytb');
  });
});

describe('checkJobId', () => {
  // dsql §5.76
  it.each([
    '',
    'a',
    'a'.repeat(25),
    'a'.repeat(27),
    'A'.repeat(26),
    `${'a'.repeat(25)}1`,
    `${'a'.repeat(25)}b`,
    `${'a'.repeat(26)}\n`,
  ])('refuses %j', (text) => {
    expect(() => checkJobId(text)).toThrow('Unable to convert text to UUID');
  });
});
