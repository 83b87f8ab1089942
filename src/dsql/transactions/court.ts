/** What the transactions of a cluster share. */
import type { Clock } from '../../base/time.ts';
import type { BlockWatch, Watched } from './block-watch.ts';
import type { Guards } from './guards.ts';
import type { Turn } from './turn.ts';

export type Court = {
  readonly clock: Clock;
  readonly watch: BlockWatch;
  readonly guards: Guards;
  /** Of those that run again what was told: one at a time, so that one gets through. */
  readonly turn: Turn;
  /** Commits so far of transactions that wrote. */
  readonly commitCount: number;
  /** @returns its number */
  noteCommit(): number;
  /** The catalogue may have changed. */
  noteCatalogue(): void;
  /** Whether nothing has been committed on the server since it had that snapshot. */
  isUnchanged(snapshot: string): Promise<boolean>;
  /** Whether there are constraints that are looked at as late as COMMIT. */
  hasDeferrable(): Promise<boolean>;
  /**
   * Whether there are functions that can write where the text of a statement does not show it: in
   * defaults, domains and views.
   */
  hasVolatileFunctions(): Promise<boolean>;
  /** It is over. */
  leave(transaction: Watched): void;
};
