/** Makes a cluster, and works on one that is not running, through PostgreSQL's own programs. */
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../base/errors.ts';
import type { Binaries } from './binaries.ts';
import type { Home } from './cluster-home.ts';
import { embeddedFailure, errnoOf, tailOf } from './failure.ts';
import { run } from './run.ts';
import { giveTo, uniqueSuffix } from './shared-places.ts';

const initdbTimeoutMs = 120_000;
/** A stand-alone server first recovers a cluster that was not shut down. */
const standaloneTimeoutMs = 120_000;

const draftPrefix = 'postgres.new-';

export type Role = { readonly user: string; readonly password: string };

/**
 * @throws GatewayError `MR_EMBEDDED_FAILED` for a name or password that the programs used here
 *   cannot be given; the error does not repeat the password
 */
export function checkRole(role: Role): void {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(role.user) || role.user.startsWith('pg_')) {
    throw embeddedFailure('a role of the embedded server needs a name of a-z, 0-9 and _');
  }
  // initdb reads a line, and a stand-alone server ends commands at empty lines.
  if (!/^\P{Cc}{1,128}$/u.test(role.password)) {
    throw embeddedFailure(`the password of ${role.user} must have 1 to 128 printable characters`);
  }
}

/** Removes what an `initdb` that was cut short left. */
async function removeDrafts(home: Home): Promise<void> {
  for (const name of await readdir(home.dir)) {
    if (!name.startsWith(draftPrefix)) continue;
    await rm(join(home.dir, name), { recursive: true, force: true });
  }
}

/**
 * Makes the cluster under a name of its own and gives it its real name when it is finished, so that
 * a start cut short leaves nothing that looks like a cluster.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` with the last words of initdb
 */
export async function makeCluster(home: Home, binaries: Binaries, superuser: Role): Promise<void> {
  await removeDrafts(home);
  const draft = join(home.dir, draftPrefix + uniqueSuffix());
  const passwordFile = `${draft}.pw`;
  try {
    await mkdir(draft, { mode: 0o700 });
    await chmod(draft, 0o700);
    await giveTo(home.account, draft);
    await writeFile(passwordFile, `${superuser.password}\n`, { flag: 'wx', mode: 0o600 });
    await giveTo(home.account, passwordFile);
    const args = [
      `--pgdata=${draft}`,
      `--username=${superuser.user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      // PostgreSQL's own C.UTF-8 knows the letters of Unicode, whatever the system has installed.
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(home.durable ? [] : ['--no-sync']),
    ];
    const said = await run(binaries.initdb, args, {
      account: home.account,
      timeoutMs: initdbTimeoutMs,
    });
    if (said.code !== 0) {
      const words = tailOf(said.stderr || said.stdout, [superuser.password]);
      throw embeddedFailure('initdb could not make the cluster', words);
    }
    await rename(draft, home.cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Whether there is a cluster of the right version.
 *
 * @throws GatewayError `MR_DATA_DIR_VERSION` for one of another major version, and
 *   `MR_EMBEDDED_FAILED` for a directory that is something else; neither is touched
 */
export async function hasCluster(home: Home, binaries: Binaries): Promise<boolean> {
  const text = await readFile(join(home.cluster, 'PG_VERSION'), 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw embeddedFailure(`${home.cluster} cannot be read`, errnoOf(error), error);
  });
  if (text === null) {
    const found = await readdir(home.cluster).catch(() => null);
    if (found === null || found.length === 0) return false;
    throw embeddedFailure(`${home.cluster} holds something that is not a PostgreSQL cluster`);
  }
  const major = text.trim();
  if (major === binaries.major) return true;
  throw new GatewayError('MR_DATA_DIR_VERSION', {
    subject: `${home.cluster} is of PostgreSQL ${major}, this Millrace brings ${binaries.major}`,
  });
}

/**
 * Runs commands in a stand-alone server, as the bootstrap superuser and without authentication. The
 * cluster must not be running. The commands of one string are one transaction; those that cannot be
 * in one, such as CREATE DATABASE, need a string of their own.
 *
 * @param commands each without an empty line after a semicolon
 * @param secrets what errors must not repeat
 * @returns what the server printed
 * @throws GatewayError `MR_EMBEDDED_FAILED` at the first command that fails
 */
export async function runStandalone(
  home: Home,
  binaries: Binaries,
  database: string,
  commands: readonly string[],
  secrets: readonly string[],
): Promise<string> {
  const input = commands.map((command) => `${command.trim().replace(/;$/, '')};\n\n`).join('');
  const settings = [
    'exit_on_error=on',
    'standard_conforming_strings=on',
    // A statement that fails may hold a password.
    'log_min_error_statement=panic',
    'log_statement=none',
    'log_checkpoints=off',
  ];
  if (!home.durable) settings.push('fsync=off');
  const args = ['--single', '-j', '-D', home.cluster, ...settings.flatMap((s) => ['-c', s])];
  const said = await run(binaries.postgres, [...args, database], {
    account: home.account,
    timeoutMs: standaloneTimeoutMs,
    input,
  });
  if (said.code === 0) return said.stdout;
  throw embeddedFailure(
    `the database ${database} could not be prepared`,
    tailOf(said.stderr || `ended by ${said.signal ?? 'nothing'}`, secrets),
  );
}
