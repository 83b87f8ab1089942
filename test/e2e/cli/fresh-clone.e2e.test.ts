import { chown, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { psql, run, runWell } from '../support/command.ts';
import { Footprint } from '../support/leftovers.ts';
import { devReady } from '../support/millrace.ts';
import { Program, plainEnvironment, ROOT } from '../support/program.ts';

const INSTALL_TIMEOUT_MS = 180_000;
/** What a clone does not have. */
const OWN = /^(\.git|node_modules|dist|\.millrace|bench\/results)(\/|$)/;
const ACCOUNT = 'millrace-e2e';

/** As whom a clone is used: its identity and its home. */
type User = { readonly identity: { uid?: number; gid?: number }; readonly home: string };

async function oneself(): Promise<User> {
  return { identity: {}, home: process.env['HOME'] ?? tmpdir() };
}

async function ordinaryUser(): Promise<User> {
  if ((await run('id', [ACCOUNT])).code !== 0) {
    await runWell('useradd', ['--create-home', '--user-group', ACCOUNT]);
  }
  const entry = (await runWell('getent', ['passwd', ACCOUNT])).trim().split(':');
  const [uid, gid] = [Number(entry[2]), Number(entry[3])];
  return { identity: { uid, gid }, home: entry[5] ?? '' };
}

const isRoot = process.geteuid?.() === 0;

describe.each([
  { who: 'the user of the tests', isNeeded: true, user: oneself },
  // Only root can become somebody else.
  { who: 'an ordinary user', isNeeded: isRoot, user: ordinaryUser },
])('a fresh clone that only $who can enter', ({ isNeeded, user }) => {
  let dir = '';
  let options: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number };

  beforeAll(async () => {
    if (!isNeeded) return;
    const { identity, home } = await user();
    // `mkdtemp` makes it for its owner alone.
    dir = await mkdtemp(join(tmpdir(), 'millrace-clone-'));
    const filter = (path: string) => !OWN.test(relative(ROOT, path));
    await cp(ROOT, dir, { recursive: true, filter });
    const { uid, gid } = identity;
    if (uid !== undefined) await runWell('chown', ['-R', `${uid}:${gid}`, dir]);
    options = { ...identity, cwd: dir, env: plainEnvironment({ HOME: home }) };
    await runWell('npm', ['ci'], { ...options, timeoutMs: INSTALL_TIMEOUT_MS });
  }, INSTALL_TIMEOUT_MS);

  afterAll(async () => {
    if (dir !== '') await rm(dir, { recursive: true, force: true });
    if (isNeeded && user === ordinaryUser) await runWell('userdel', ['--remove', ACCOUNT]);
  });

  it.runIf(isNeeded)('starts by npm start, serves, and ends by Ctrl-C', async () => {
    const program = new Program('npm', ['start'], options);
    const [, origin] = await program.says('stdout', /Origin[\s\S]*?psql '([^']+)'[\s\S]*Ready/);
    const [, gateway] = await program.says('stdout', /Gateway\n {2}psql '([^']+)'/);
    for (const url of [gateway, origin]) {
      expect(await psql(url ?? '', 'SELECT count(*) > 0 FROM customers')).toBe('t');
    }
    const footprint = new Footprint(program.pid);
    expect(footprint.hasServer).toBe(true);
    program.signalGroup('SIGINT');
    await program.end();
    await expect.poll(() => footprint.left(), { timeout: 5000 }).toEqual([]);
    expect(program.stderr).not.toMatch(/error/i);
  });

  it.runIf(isNeeded)('does what the README shows', async () => {
    const readme = await readFile(join(dir, 'README.md'), 'utf8');
    const commands = ['npm ci && npm start', 'npm ci && npm test'];
    for (const command of commands) expect(readme).toContain(command);
    const check = ['millrace', 'check-config', 'millrace.example.toml'];
    expect(readme).toContain(`npx ${check.join(' ')}`);
    await runWell('npx', check, options);
    // The least that a file must say is really enough.
    const [, toml = ''] = /```toml\n([\s\S]*?)```/.exec(readme) ?? [];
    const file = join(dir, 'least.toml');
    await writeFile(file, toml);
    const { uid, gid } = options;
    if (uid !== undefined && gid !== undefined) await chown(file, uid, gid);
    const secrets = { DATABASE_URL: 'postgres://u:p@127.0.0.1/d', WEB_PASSWORD: 'w' };
    await runWell('npx', ['millrace', 'check-config', file], {
      ...options,
      env: { ...options.env, ...secrets },
    });
    const help = await runWell('npx', ['millrace', 'help', 'dev'], options);
    expect(help).toContain('--ephemeral');
  });

  it.runIf(isNeeded)('runs by npx for scripts', async () => {
    const args = ['millrace', 'dev', '--ephemeral', '--port', '0', '--json'];
    const program = new Program('npx', args, options);
    const { url } = await devReady(program);
    expect(await psql(url, 'SELECT 1')).toBe('1');
    const footprint = new Footprint(program.pid);
    program.signalGroup('SIGINT');
    await program.end();
    await expect.poll(() => footprint.left(), { timeout: 5000 }).toEqual([]);
  });
});
