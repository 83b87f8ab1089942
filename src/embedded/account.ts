import { readFile } from 'node:fs/promises';
import { embeddedFailure, tailOf } from './failure.ts';
import { type Account, run } from './run.ts';

const accountsPath = '/etc/passwd';
const ownName = 'millrace';
/** In order of preference: what a PostgreSQL package made, then what an earlier run made. */
const knownNames = ['postgres', ownName] as const;

const commandTimeoutMs = 30_000;

/** The line of `name` in the text of a passwd file; null when absent, or when it is root. */
export function findAccount(passwd: string, name: string): Account | null {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid] = line.split(':');
    if (found !== name || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) continue;
    const account = { name, uid: Number(uid), gid: Number(gid) };
    return account.uid === 0 ? null : account;
  }
  return null;
}

async function knownAccount(): Promise<Account | null> {
  const passwd = await readFile(accountsPath, 'utf8');
  for (const name of knownNames) {
    const account = findAccount(passwd, name);
    if (account !== null) return account;
  }
  return null;
}

/** How the families of systems add a system user: shadow-utils, Debian's adduser, BusyBox. */
const creators: readonly (readonly [string, ...string[]])[] = [
  ['useradd', '--system', '--user-group', '--no-create-home', '--shell', '/bin/false', ownName],
  ['adduser', '--system', '--group', '--no-create-home', '--shell', '/bin/false', ownName],
  ['adduser', '-S', '-D', '-H', '-s', '/bin/false', ownName],
];

/**
 * PostgreSQL refuses to run as root, so root lends it an unprivileged user, made when the system
 * has none that fits. Null for an ordinary user, who runs the server as oneself.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` when root can neither find nor make a user
 */
export async function serverAccount(): Promise<Account | null> {
  if (process.geteuid?.() !== 0) return null;
  const known = await knownAccount();
  if (known !== null) return known;
  const said: string[] = [];
  for (const [program, ...args] of creators) {
    const result = await run(program, args, { account: null, timeoutMs: commandTimeoutMs });
    // Read again even after a failure: another start may have made the user meanwhile.
    const made = await knownAccount();
    if (made !== null) return made;
    said.push(result.stderr.trim());
  }
  throw embeddedFailure(
    'PostgreSQL cannot run as root, and no unprivileged user could be made: ' +
      `add a system user named ${ownName}, or start Millrace as an ordinary user`,
    tailOf(said.join('\n')),
  );
}

/**
 * Whether `account` really may do what `flag` of test(1) says (`-x`, `-r`, `-w`): modes alone do
 * not tell, with access lists, mount options and directories above in play.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` when no program can be started as that user
 */
export async function canAccess(
  account: Account | null,
  flag: '-r' | '-w' | '-x',
  path: string,
): Promise<boolean> {
  const result = await run('test', [flag, path], { account, timeoutMs: commandTimeoutMs });
  if (result.code === 0 || result.code === 1) return result.code === 0;
  const who = account === null ? 'oneself' : `the user ${account.name}`;
  throw embeddedFailure(`cannot run a program as ${who}`, tailOf(result.stderr));
}
