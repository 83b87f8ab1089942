import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, run } from '../support/command.ts';
import { type Dev, devReady } from '../support/millrace.ts';
import { millrace, ROOT } from '../support/program.ts';

const PROGRAM = join(ROOT, 'dist/main.js');

let dir: string;
let dev: Dev;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-config-'));
  dev = await devReady(millrace(['dev', '--json', '--port', '0', '--no-dsql'], { cwd: dir }));
});

afterAll(async () => {
  await dev.program.stop();
  await rm(dir, { recursive: true, force: true });
});

function config(args: readonly string[], options: object = {}): Promise<CommandResult> {
  return run(process.execPath, [PROGRAM, 'config', ...args], { cwd: dir, ...options });
}

async function well(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await config(args);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

async function ask(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query('SELECT 1 AS one')).rows;
  } finally {
    await client.end();
  }
}

describe('millrace config', () => {
  it('finds millrace dev beside it, by a file that only the owner can read', async () => {
    expect((await stat(join(dir, '.millrace/api.json'))).mode & 0o777).toBe(0o600);
    const said = await well('list');
    expect(said).toMatch(/^ID +NAME +USER/);
    expect(said).toMatch(/demo +millrace +127\.0\.0\.1 .* store$/m);
  });

  it('says where a token comes from that the API refuses', async () => {
    const env = { CLOUDFLARE_API_BASE_URL: dev.api.url, CLOUDFLARE_API_TOKEN: 'not-the-token' };
    const { code, stdout, stderr } = await config(['list'], { env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/; the token is that of CLOUDFLARE_API_TOKEN/);
    expect(stderr).not.toContain('not-the-token');
  });

  it('creates a configuration from standard input, and prints what to paste', async () => {
    const { code, stdout } = await config(['create', 'typed', '--connection-string', '-'], {
      input: `${dev.originUrl}?sslmode=disable\n`,
    });
    expect(code).toBe(0);
    expect(stdout).toContain('"sslmode":"disable"');
    const snippet = JSON.parse(stdout.slice(stdout.indexOf('{\n  "hyperdrive"'))) as {
      hyperdrive: { id: string; binding: string; localConnectionString: string }[];
    };
    const [row] = snippet.hyperdrive;
    expect(row?.binding).toBe('HYPERDRIVE');
    expect(await ask(row?.localConnectionString ?? '')).toEqual([{ one: 1 }]);
    expect(await well('get', 'typed')).toContain(row?.id);
  });

  it('updates with the options of wrangler, restarts, tests and deletes, by name', async () => {
    const url = new URL(dev.originUrl);
    const place = ['--host', url.hostname, '--port', url.port, '--database', 'demo'];
    const who = ['--user', url.username, '--password', 'env:PW', '--json'];
    const made = await config(['create', 'parts', ...place, ...who], {
      env: { PW: url.password },
    });
    expect(made.stderr).toBe('');
    const { credential } = JSON.parse(made.stdout) as { credential: { connection_string: string } };
    expect(await ask(credential.connection_string)).toEqual([{ one: 1 }]);
    expect(await well('update', 'parts', '--origin-connection-limit', '8')).toContain('at most 8');
    expect(await well('restart', 'parts', '--json')).toContain('"restarted_on"');
    expect(await well('test', 'parts')).toMatch(/^connected in +[\d.]+ ms$/m);
    expect((await config(['delete', 'parts'])).code).toBe(0);
    expect((await config(['get', 'parts'])).code).toBe(1);
  });

  it('purges the query cache: all, a table, a text', async () => {
    await config(['create', 'purged', '--connection-string', dev.originUrl]);
    expect(await well('purge', 'purged')).toBe('0 answers forgotten\n');
    const statement = ['--statement', 'SELECT 1', '--json'];
    expect(JSON.parse(await well('purge', 'purged', ...statement))).toEqual({ purged: 0 });
    const unknown = await config(['purge', 'purged', '--table', 'nobody']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('[code: 2101]')]);
    const both = await config(['purge', 'purged', '--table', 'a', '--statement', 'b']);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('exclude each other')]);
  });

  it('mints, lists, rotates and revokes credentials', async () => {
    await config(['create', 'keys', '--connection-string', dev.originUrl]);
    type Minted = { id: string; user: string; connection_string: string };
    const first = JSON.parse(
      await well('credentials', 'keys', '--mint', '--user', 'web', '--json'),
    ) as Minted;
    const rotate = ['--rotate', first.id, '--overlap', '60', '--json'];
    const second = JSON.parse(await well('credentials', 'keys', ...rotate)) as Minted;
    for (const { connection_string: url } of [first, second]) {
      expect(await ask(url)).toEqual([{ one: 1 }]);
    }
    expect(await well('credentials', 'keys')).toContain(second.user);
    await config(['credentials', 'keys', '--revoke', second.id]);
    await expect(ask(second.connection_string)).rejects.toMatchObject({ code: '28P01' });
  });

  it('says what is wrong, and never the password', async () => {
    const wrong = dev.originUrl.replace(':millrace@', ':hush-hush@');
    const refused = await config(['create', 'wrong', '--connection-string', wrong]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('[code: 2013]');
    expect(refused.stderr + refused.stdout).not.toContain('hush-hush');
    const nowhere = await config(['list'], { cwd: tmpdir() });
    expect([nowhere.code, nowhere.stderr]).toEqual([
      78,
      expect.stringContaining('no API is known'),
    ]);
    const away = { MILLRACE_API_URL: 'http://127.0.0.1:1/client/v4', MILLRACE_API_TOKEN: 'x' };
    expect((await config(['list'], { env: away })).code).toBe(69);
    expect((await config([])).code).toBe(2);
    expect((await config(['lsit'])).stderr).toContain('did you mean config list?');
  });

  it('changes the demo as any other configuration, and it stays so at the next start', async () => {
    await well('update', 'demo', '--origin-connection-limit', '7', '--caching-disabled');
    await well('update', 'demo', '--caching-disabled', 'false');
    expect(JSON.parse(await well('get', 'demo', '--json')).caching.disabled).toBe(false);
    await well('update', 'demo', '--caching-disabled=true');
    await well('credentials', 'demo', '--mint', '--user', 'web');
    const before = JSON.parse(await well('get', 'demo', '--json')) as { id: string };
    await dev.program.stop();
    dev = await devReady(millrace(['dev', '--json', '--port', '0', '--no-dsql'], { cwd: dir }));
    expect(JSON.parse(await well('get', 'demo', '--json'))).toMatchObject({
      id: before.id,
      origin: { port: Number(new URL(dev.originUrl).port) },
      origin_connection_limit: 7,
      caching: { disabled: true },
    });
    expect(await well('credentials', 'demo')).toMatch(/^\S+ +millrace .*\n\S+ +web /m);
    expect(await ask(dev.url)).toEqual([{ one: 1 }]);
  });
});
