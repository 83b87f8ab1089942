/**
 * One Millrace at a time in a data directory. Every contender makes a file of its own whose name
 * holds its process id and start time, then looks who else is there: whoever is alone holds the
 * directory. Because names are never shared, clearing away the file of a dead process can never
 * hit a living one's, which a single lock file cannot promise when two starts take it over at once.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../base/errors.ts';
import { embeddedFailure, errnoOf } from './failure.ts';
import { isRunning, processStart } from './process-identity.ts';

const claimName = /^millrace-(\d{1,10})-(\d{1,20})\.lock$/;

/** Two starts at once settle within milliseconds; this bounds the wait for one that hangs. */
const contendTimeoutMs = 5000;
const contendPollMs = 10;

export type DataDirLock = {
  /** Idempotent. */
  release(): Promise<void>;
};

type Claim = { readonly name: string; readonly pid: number; readonly held: boolean };

/** File name of the claim of a process; `start` as {@link processStart} tells it. */
export function lockFileName(pid: number, start: string): string {
  return `millrace-${pid}-${start}.lock`;
}

/** Whether any process, living or dead, has left a claim in `dir`. */
export async function hasClaim(dir: string): Promise<boolean> {
  return (await readdir(dir)).some((name) => claimName.test(name));
}

/** The claims of others that live; those of the dead are removed on the way. */
async function livingClaims(dir: string, own: string): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const name of await readdir(dir)) {
    const match = claimName.exec(name);
    if (match === null || name === own) continue;
    const pid = Number(match[1]);
    if (isRunning(pid, match[2]!)) {
      const text = await readFile(join(dir, name), 'utf8').catch(() => null);
      if (text !== null) claims.push({ name, pid, held: text !== '' });
    } else {
      await rm(join(dir, name), { force: true });
    }
  }
  return claims;
}

function heldBy(dir: string, pid: number): GatewayError {
  const who = pid === process.pid ? 'this process' : `process ${pid}`;
  return new GatewayError('MR_DATA_DIR_HELD', { subject: `${dir} is held by Millrace, ${who}` });
}

/**
 * Takes the data directory for this process; whatever a dead process left is taken over.
 *
 * @param dir an existing directory this process can write
 * @throws GatewayError `MR_DATA_DIR_HELD`, naming the process that has it
 */
export async function lockDataDir(dir: string): Promise<DataDirLock> {
  const start = processStart(process.pid);
  if (start === null) throw embeddedFailure('neither /proc nor ps tells when a process started');
  const own = lockFileName(process.pid, start);
  const path = join(dir, own);
  const deadlineMs = performance.now() + contendTimeoutMs;
  for (;;) {
    await writeFile(path, '', { flag: 'wx', mode: 0o644 }).catch((error: unknown) => {
      throw errnoOf(error) === 'EEXIST' ? heldBy(dir, process.pid) : error;
    });
    let rival: Claim | undefined;
    try {
      rival = await settle(dir, own, deadlineMs);
      // An empty file is a contender, one with text a holder: only the latter turns others away.
      if (rival === undefined) await writeFile(path, `Held by Millrace, process ${process.pid}.\n`);
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    if (rival === undefined) return { release: () => rm(path, { force: true }) };
    await rm(path, { force: true });
    if (rival.held || performance.now() > deadlineMs) throw heldBy(dir, rival.pid);
    await sleep(contendPollMs);
  }
}

/**
 * Undefined when alone. Of several contenders the first by name stays and waits for the others to
 * withdraw, so that exactly one wins; the rest are told whom they give way to.
 */
async function settle(dir: string, own: string, deadlineMs: number): Promise<Claim | undefined> {
  for (;;) {
    const others = await livingClaims(dir, own);
    const first = others.find((claim) => claim.held) ?? others.find((claim) => claim.name < own);
    if (first !== undefined || others.length === 0) return first;
    if (performance.now() > deadlineMs) return others[0];
    await sleep(contendPollMs);
  }
}
