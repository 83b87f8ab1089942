/** How many worker processes `workers = "auto"` means on this machine. */
import { totalmem } from 'node:os';
import { WORKERS_MAX } from '../config/keys.ts';
import type { MillraceConfig, WorkerCount } from '../config/model.ts';
import { availableCores } from './available-cores.ts';

/** A process with nothing to do takes 70 MiB; facts, catalogue and clients want some more. */
const PROCESS_BYTES = 128 * 1024 * 1024;
/** With fewer connections than that for each of them, workers would wait for each other's. */
const LINKS_PER_WORKER_MIN = 2;

export type Machine = { readonly cores: number; readonly memoryBytes: number };

function thisMachine(): Machine {
  // Without a limit of a control group this is 0, or larger than any memory.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return { cores: availableCores(), memoryBytes: Math.min(totalmem(), limit) };
}

/**
 * As asked, or one for each core, as far as there is memory for them and for the primary process,
 * and connections to share. 1 is a single process.
 */
export function workerCount(
  asked: WorkerCount,
  { configurations }: Pick<MillraceConfig, 'configurations'>,
  machine: () => Machine = thisMachine,
): number {
  if (asked !== 'auto') return asked;
  const { cores, memoryBytes } = machine();
  const inMemory = Math.floor(memoryBytes / PROCESS_BYTES) - 1;
  // Those that the API makes later share what there is then.
  const limits = configurations.map((one) => one.originConnectionLimit);
  const linksMost = limits.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...limits);
  const inLinks = Math.floor(linksMost / LINKS_PER_WORKER_MIN);
  return Math.max(1, Math.min(cores, inMemory, inLinks, WORKERS_MAX));
}
