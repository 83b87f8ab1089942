/** What pure code is handed of the machine that it runs on. */
import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '../base/time.ts';

export const clock: Clock = { nowMs: () => performance.now() };

export const random: Random = { bytes: (count) => randomBytes(count) };
