/** How many cores this process may use: those of the machine, of its mask, and of its cgroup. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Reads a file, or null when there is none. */
export type ReadText = (path: string) => string | null;

const CGROUP_ROOT = '/sys/fs/cgroup';

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** `quota period` of version 2; `max` is no limit. */
function coresOf(quota: string | undefined, period: string | undefined): number | null {
  const cores = Number(quota) / Number(period);
  return Number.isFinite(cores) && cores > 0 ? cores : null;
}

/** The smallest limit of a group and those above it, for version 2 and 1. */
function groupLimit(group: string, controller: string, read: ReadText): number | null {
  let least: number | null = null;
  const parts = group.split('/').filter((part) => part !== '');
  for (let depth = parts.length; depth >= 0; depth--) {
    const folder = join(CGROUP_ROOT, controller, ...parts.slice(0, depth));
    const [quota, period] = read(join(folder, 'cpu.max'))?.trim().split(/\s+/) ?? [
      read(join(folder, 'cpu.cfs_quota_us'))?.trim(),
      read(join(folder, 'cpu.cfs_period_us'))?.trim(),
    ];
    const cores = coresOf(quota, period);
    if (cores !== null) least = Math.min(least ?? cores, cores);
  }
  return least;
}

/** The limit that a container or a service manager sets, in cores; null when there is none. */
export function cgroupCores(read: ReadText = readText): number | null {
  let least: number | null = null;
  for (const line of read('/proc/self/cgroup')?.split('\n') ?? []) {
    const [, controllers = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isVersion2 = line.startsWith('0::');
    if (!isVersion2 && !controllers.split(',').includes('cpu')) continue;
    // Version 1 mounts controllers together, and links `cpu` there.
    const cores = groupLimit(group, isVersion2 ? '' : 'cpu', read);
    if (cores !== null) least = Math.min(least ?? cores, cores);
  }
  return least;
}

/**
 * At least 1. Parts of a core do not count: processes that share one would be stopped in the middle
 * of a query until the next period.
 */
export function availableCores(): number {
  const cores = Math.min(availableParallelism(), cgroupCores() ?? Number.POSITIVE_INFINITY);
  return Math.max(1, Math.floor(cores));
}
