/** What the gateway and PgBouncer have in common as poolers that are measured. */
import { availableParallelism } from 'node:os';
import type { Address } from './address.ts';

/** Processes of a pooler that uses all cores: two at least, so that any machine measures several. */
export const CORES = Math.max(2, availableParallelism());

/** More than any case needs; each listener of a pooler takes so many clients. */
export const CLIENTS_MAX = 12_000;

/** A pooler at work. */
export type RunningPooler = {
  /** Its processes; the children of each belong to it too. */
  readonly pids: readonly number[];
  /** Where it pools with so many links. */
  addressOf(poolSize: number): Address;
  stop(): Promise<void>;
};

/** Name of the database, on a pooler, that pools with so many links. */
export function poolName(poolSize: number): string {
  return `pool${poolSize}`;
}
