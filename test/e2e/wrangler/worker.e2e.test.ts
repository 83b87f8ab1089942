import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWell } from '../support/command.ts';
import { type Dev, startDev } from '../support/millrace.ts';
import { Program, plainEnvironment, ROOT } from '../support/program.ts';
import { ACCOUNT, installClients, requireClient, Wrangler } from './clients.ts';

const EXAMPLES = join(ROOT, 'docs/examples');
const VARIABLE = 'CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_HYPERDRIVE';
const REQUESTS = 24;

let dev: Dev;
let dir: string;
let worker: string;
let wrangler: Wrangler;
let connectionString: string;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A connection string of a configuration that was made for this. */
async function madeConfiguration(): Promise<string> {
  const call = async (path: string, body: object) => {
    const place = `${dev.api.url}/accounts/${ACCOUNT}/hyperdrive/configs${path}`;
    const headers = { authorization: `Bearer ${dev.api.token}` };
    const response = await fetch(place, { method: 'POST', headers, body: JSON.stringify(body) });
    return ((await response.json()) as { result: { id: string; connection_string: string } })
      .result;
  };
  const { hostname: host, port, username: user, password } = new URL(dev.originUrl);
  const origin = { host, port: Number(port), database: 'demo', user, password };
  const { id } = await call('', { name: 'worker', origin });
  return (await call(`/${id}/credentials`, {})).connection_string;
}

beforeAll(async () => {
  await installClients();
  dev = await startDev();
  wrangler = await Wrangler.make(dev.api);
  connectionString = await madeConfiguration();
  dir = await mkdtemp(join(tmpdir(), 'millrace-worker-'));
  // What somebody has installed there is left behind.
  const filter = (path: string) => !path.slice(EXAMPLES.length).includes('node_modules');
  await cp(EXAMPLES, dir, { recursive: true, filter });
  worker = join(dir, 'worker');
  await mkdir(join(worker, 'node_modules'), { recursive: true });
  // The drivers as this repository has them.
  for (const name of ['pg', 'postgres']) {
    await symlink(join(ROOT, 'node_modules', name), join(worker, 'node_modules', name));
  }
  await symlink(Wrangler.package, join(worker, 'node_modules/wrangler'));
}, 600_000);

afterAll(async () => {
  await wrangler?.remove();
  await dev?.program.stop();
  await rm(dir, { recursive: true, force: true });
});

async function get(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  expect([response.status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text);
}

/** Both drivers, alone and then from many requests at once, each with its own answer. */
async function readMany(base: string): Promise<void> {
  for (const path of ['/pg', '/postgres']) {
    expect(await get(`${base}${path}?id=7`)).toMatchObject({ id: 7, town: expect.any(String) });
  }
  const ids = Array.from({ length: REQUESTS }, (_, at) => at + 1);
  const paths = ids.map((id) => `${id % 2 === 0 ? '/pg' : '/postgres'}?id=${id}`);
  const rows = await Promise.all(paths.map((path) => get(base + path)));
  expect(rows.map((row) => (row as { id: number }).id)).toEqual(ids);
}

describe('the example Worker', () => {
  it('reads through the gateway under wrangler dev', async () => {
    const port = await freePort();
    const args = [Wrangler.program, 'dev', '--port', String(port), '--ip', '127.0.0.1'];
    const env = plainEnvironment({ ...wrangler.env, [VARIABLE]: connectionString });
    const program = new Program(process.execPath, args, { cwd: worker, env });
    try {
      await program.says('stdout', /Ready on/);
      await readMany(`http://127.0.0.1:${port}`);
    } finally {
      await program.stop();
    }
  });

  it('reads through the gateway in Node, with the bindings of getPlatformProxy', async () => {
    const env = plainEnvironment({ ...wrangler.env, [VARIABLE]: connectionString });
    const said = await runWell(process.execPath, ['platform-proxy.mjs'], { cwd: worker, env });
    expect(JSON.parse(said.split('\n').at(-2) ?? '')).toMatchObject({ id: 7 });
  });

  it('reads through the gateway under bare workerd', async () => {
    const build = [Wrangler.program, 'deploy', '--dry-run', '--outdir', 'dist'];
    await runWell(process.execPath, build, { cwd: worker, env: wrangler.env });
    const port = await freePort();
    const { host, username, password, pathname } = new URL(connectionString);
    const text = (await readFile(join(dir, 'workerd/config.capnp'), 'utf8'))
      .replace('127.0.0.1:5432', host)
      .replace('127.0.0.1:8080', `127.0.0.1:${port}`)
      .replace('database = "demo"', `database = "${pathname.slice(1)}"`)
      .replace('user = "millrace"', `user = "${username}"`)
      .replace('password = "millrace"', `password = "${password}"`);
    await writeFile(join(dir, 'workerd/config.capnp'), text);
    const { default: workerd } = requireClient('workerd') as { default: string };
    const program = new Program(workerd, ['serve', 'config.capnp'], { cwd: join(dir, 'workerd') });
    try {
      const base = `http://127.0.0.1:${port}`;
      await expect.poll(() => get(`${base}/pg?id=1`).then(() => 'ready', String)).toBe('ready');
      await readMany(base);
    } finally {
      await program.stop();
    }
  });
});
