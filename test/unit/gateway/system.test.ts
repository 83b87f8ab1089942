import { expect, it } from 'vitest';
import { random } from '../../../src/gateway/system.ts';

it('random bytes are never the same ones, in pieces of any size', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 2_000; n++) {
    const piece = random.bytes(16);
    expect(piece.length).toBe(16);
    seen.add(Buffer.from(piece).toString('hex'));
  }
  expect(seen.size).toBe(2_000);
  // More than is kept ready.
  const large = random.bytes(10_000);
  expect(large.length).toBe(10_000);
  expect(large.subarray(9_900).some((byte) => byte !== 0)).toBe(true);
});

it('random bytes belong to whoever has them', () => {
  const piece = random.bytes(16);
  const before = Buffer.from(piece).toString('hex');
  for (let n = 0; n < 1_000; n++) random.bytes(16);
  expect(Buffer.from(piece).toString('hex')).toBe(before);
});
