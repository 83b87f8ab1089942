/** Ids of jobs: 16 bytes in base32 without padding, in small letters, 26 of them. */
import type { Random } from '../../base/time.ts';
import { DsqlError } from '../dsql-error.ts';

const BYTES = 16;
const BITS_EACH = 5;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** The last letter has three bits only. */
const ID = /^[a-z2-7]{25}[aeimquy4]$/;

export function makeJobId(random: Random): string {
  let id = '';
  let [bits, count] = [0, 0];
  for (const byte of random.bytes(BYTES)) {
    bits = (bits << 8) | byte;
    count += 8;
    for (; count >= BITS_EACH; count -= BITS_EACH) {
      id += ALPHABET[(bits >> (count - BITS_EACH)) & 31];
    }
    bits &= (1 << count) - 1;
  }
  return id + ALPHABET[(bits << (BITS_EACH - count)) & 31];
}

/** @throws DsqlError `22P02` for what cannot be one */
export function checkJobId(text: string): void {
  if (!ID.test(text)) throw new DsqlError('22P02', 'Unable to convert text to UUID');
}
