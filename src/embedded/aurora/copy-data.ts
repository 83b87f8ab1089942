/** Copies of data directories: what `pg_basebackup` does, which the packages do not bring. */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayError } from '../../base/errors.ts';
import { embeddedFailure, errnoOf, tailOf } from '../failure.ts';
import { type Account, run } from '../run.ts';
import { giveTo } from '../shared-places.ts';

const COPY_TIMEOUT_MS = 120_000;

/** What is in these directories is of one server alone, or is made anew at the start. */
const LEFT_EMPTY = [
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
];

/** The same, where the log is left out too. */
const LEFT_EMPTY_OF_LOG = ['pg_wal', 'pg_wal/archive_status', 'pg_wal/summaries'];

/** What tells of one server alone. */
const LEFT_OUT = [
  'backup_label',
  'backup_label.old',
  'postmaster.opts',
  'postmaster.pid',
  'standby.signal',
];

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
  for (const name of await readdir(to)) await rm(join(to, name), { recursive: true, force: true });
  const leftEmpty = [...LEFT_EMPTY, ...(isInUse ? LEFT_EMPTY_OF_LOG : [])];
  const leftOut = new Set([...LEFT_OUT, ...leftEmpty]);
  const copied = (await readdir(from)).filter((name) => !leftOut.has(name));
  // As the server's user, who owns both.
  const dirs = leftEmpty.map((name) => join(to, name));
  const made = await run('mkdir', ['-m', '700', ...dirs], { account, timeoutMs: COPY_TIMEOUT_MS });
  if (made.code !== 0) throw copyFailure(made.stderr);
  const args = ['-R', '-p', ...copied.map((name) => join(from, name)), to];
  const said = await run('cp', args, { account, timeoutMs: COPY_TIMEOUT_MS });
  const isWhole = said.code === 0 || (isInUse && said.code === 1 && onlyMissedFiles(said.stderr));
  if (!isWhole) throw copyFailure(said.stderr);
}

function copyFailure(said: string): GatewayError {
  return embeddedFailure('a data directory cannot be copied', tailOf(said));
}
