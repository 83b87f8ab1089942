/** Copies of data directories: what `pg_basebackup` does, which the packages do not bring. */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { embeddedFailure, errnoOf, tailOf } from '../failure.ts';
import { type Account, run } from '../run.ts';
import { giveTo } from '../shared-places.ts';

const COPY_TIMEOUT_MS = 120_000;

/** What is in these directories is of one server alone, or is made anew at the start. */
const EMPTIED = [
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
] as const;

/** What tells of one server alone. */
const LEFT_OUT = [
  'backup_label',
  'backup_label.old',
  'postmaster.opts',
  'postmaster.pid',
  'standby.signal',
] as const;

const LOG_DIR = 'pg_wal';
/** Segments, and what goes with them below; histories of timelines are named by eight digits. */
const SEGMENT = /^[\dA-F]{24}/;

async function empty(dir: string, isLeft: (name: string) => boolean = () => false): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!isLeft(name)) await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** Whether a program only complained of files that a server has removed meanwhile. */
function onlyMissedFiles(said: string): boolean {
  const lines = said.trim().split('\n');
  return lines.every((line) => line.endsWith('No such file or directory'));
}

/**
 * Fills a data directory with a copy of another one, in place of what it held. The directory itself
 * stays: by its number PostgreSQL finds the shared memory that a killed server left, and frees it.
 *
 * @param isInUse whether a server works on the original, in a base backup; the write-ahead log then
 *   does not come along
 * @throws GatewayError `MR_EMBEDDED_FAILED`
 */
export async function copyData(
  from: string,
  to: string,
  account: Account | null,
  isInUse: boolean,
): Promise<void> {
  await mkdir(to, { mode: 0o700 }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
  await chmod(to, 0o700);
  await giveTo(account, to);
  await empty(to);
  // As the server's user, who owns both.
  const args = ['-R', '-p', `${from}/.`, to];
  const said = await run('cp', args, { account, timeoutMs: COPY_TIMEOUT_MS });
  if (said.code !== 0 && !(isInUse && said.code === 1 && onlyMissedFiles(said.stderr))) {
    throw embeddedFailure('a data directory cannot be copied', tailOf(said.stderr));
  }
  for (const name of LEFT_OUT) await rm(join(to, name), { force: true });
  for (const name of EMPTIED) await empty(join(to, name));
  if (isInUse) await empty(join(to, LOG_DIR), (name) => !SEGMENT.test(name));
}
