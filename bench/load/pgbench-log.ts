/** Reads the logs of single transactions that pgbench writes. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Microseconds that each transaction in the log took, in its order. */
export function parsePgbenchLog(text: string): number[] {
  const times: number[] = [];
  for (const line of text.split('\n')) {
    // client, transaction, time, script, epoch, microseconds; a failed one has a word for a time.
    const time = Number(line.split(' ', 3)[2]);
    if (line !== '' && Number.isFinite(time)) times.push(time);
  }
  return times;
}

/** The logs of all threads and processes that were given this prefix, which are then removed. */
export function takeLogs(folder: string, prefix: string): number[] {
  const times: number[] = [];
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`${prefix}.`)) continue;
    const path = join(folder, name);
    for (const time of parsePgbenchLog(readFileSync(path, 'utf8'))) times.push(time);
    rmSync(path);
  }
  return times;
}
