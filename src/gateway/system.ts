/** What pure code is handed of the machine that it runs on. */
import { randomBytes, randomFillSync } from 'node:crypto';
import type { Clock, Random } from '../base/time.ts';

export const clock: Clock = { nowMs: () => performance.now() };

/** A login needs some pieces of a few bytes: asking for many at a time costs no more. */
const POOL_BYTES = 4_096;
const pool = Buffer.alloc(POOL_BYTES);
let taken = POOL_BYTES;

function randomPiece(count: number): Uint8Array {
  if (count > POOL_BYTES) return randomBytes(count);
  if (taken + count > POOL_BYTES) {
    randomFillSync(pool);
    taken = 0;
  }
  const piece = Buffer.from(pool.subarray(taken, taken + count));
  // Nobody else finds it here.
  pool.fill(0, taken, taken + count);
  taken += count;
  return piece;
}

export const random: Random = { bytes: randomPiece };
