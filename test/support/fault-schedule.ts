/** What a seed does to the connections of a fault proxy. */
import type { Dice } from './dice.ts';
import type { Cut, Pair } from './fault-proxy.ts';

/** Bytes after which a connection is cut: within the login, or some way behind it. */
const CUT_BYTES_MAX = 4_000;
const CUTS: readonly Cut[] = ['fin', 'fin', 'rst', 'rst', 'half', 'half', 'stall'];

/**
 * Gives the connection its fate. Garbage is not among the faults: what it makes of an answer is not
 * the gateway's doing.
 */
export function illTreat(pair: Pair, dice: Dice): void {
  const how = dice.oneIn(2) ? pair.up : pair.down;
  switch (dice.below(9)) {
    case 0:
      how.pieces = [1 + dice.below(9), 1 + dice.below(60), 1 + dice.below(3)];
      break;
    case 1:
      how.delayMs = 1 + dice.below(15);
      break;
    case 2:
      how.bytesPerSecond = 20_000 + dice.below(50_000);
      break;
    case 3:
    case 4:
    case 5:
      how.bytesLeft = 1 + dice.below(CUT_BYTES_MAX);
      how.cut = dice.pick(CUTS);
      break;
    default:
  }
}
