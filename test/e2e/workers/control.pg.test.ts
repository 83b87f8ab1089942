/** The store and the API are the primary's; what they change reaches every worker. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { fieldsOf, WireClient, type WireTarget } from '../../support/wire.ts';
import { type Serve, startServe } from '../support/millrace.ts';
import { workerOf } from './crew.ts';
import { ConnectionCount } from './direct.ts';

const TOKEN = randomBytes(24).toString('hex');
const PATH = `/accounts/${'a'.repeat(32)}/hyperdrive/configs`;

let origin: TestDatabase;
let other: TestDatabase;
let storage: TestDatabase;
let serve: Serve;
let apiUrl: string;

beforeAll(async () => {
  [origin, other, storage] = [
    await createDatabase(),
    await createDatabase(),
    await createDatabase(),
  ];
  const rest = `[api]\nport = 0\ntoken = "env:API_TOKEN"\n
[store]\nurl = "env:STORE_URL"\nkey = "file:store.key"\n`;
  const settings = { originUrl: origin.url, top: 'workers = 2', rest };
  serve = await startServe(settings, { API_TOKEN: TOKEN, STORE_URL: storage.url });
  [, apiUrl = ''] = await serve.program.says('stderr', /"url":"([^"]+)"[^\n]*the API listens/);
});

afterAll(async () => {
  await serve?.stop();
  for (const each of [origin, other, storage]) await each?.drop();
});

async function call<T = { id: string }>(method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(apiUrl + PATH + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { result, errors } = (await response.json()) as { result: T; errors: object[] };
  expect(errors).toEqual([]);
  return result;
}

/** Makes a configuration for the database, and says how to log in to it. */
async function create(name: string, limit: number): Promise<{ id: string; target: WireTarget }> {
  const url = new URL(other.url);
  const { id } = await call('POST', '', {
    name,
    origin_connection_limit: limit,
    origin: {
      scheme: 'postgres',
      host: url.hostname,
      port: Number(url.port),
      database: other.name,
      user: url.username,
      password: decodeURIComponent(url.password),
    },
  });
  const path = `/${id}/credentials`;
  const minted = await call<{ user: string; password: string }>('POST', path);
  const { user, password } = minted;
  return { id, target: { host: '127.0.0.1', port: serve.port, user, password, database: name } };
}

const connectAll = (target: WireTarget, count: number): Promise<WireClient[]> =>
  Promise.all(Array.from({ length: count }, () => WireClient.connect(target)));

async function lastWord(client: WireClient): Promise<string | undefined> {
  const [last] = (await client.readToEnd()).slice(-1);
  return last === undefined ? undefined : fieldsOf(last.body)['C'];
}

it('serves what the API makes at once, in every worker, and ends it in every worker', async () => {
  const { id, target } = await create('made', 5);
  const clients = await connectAll(target, 4);
  expect(clients.map(workerOf).toSorted()).toEqual([1, 1, 2, 2]);
  for (const client of clients) expect(await client.rows('SELECT 1')).toEqual([['1']]);
  const filed = await WireClient.connect({ ...target, ...fileLogin() });
  await call('DELETE', `/${id}`);
  for (const client of clients) expect(await lastWord(client)).toBe('57P01');
  await expect(WireClient.connect(target)).rejects.toThrow('28P01');
  expect(await filed.rows('SELECT 2')).toEqual([['2']]);
  await filed.end();
});

const fileLogin = () => {
  const { username, password, pathname } = new URL(serve.url);
  return { user: username, password: decodeURIComponent(password), database: pathname.slice(1) };
};

it('tells the state of all workers together', async () => {
  const { id, target } = await create('watched', 5);
  const clients = await connectAll(target, 5);
  for (const client of clients.slice(0, 3)) await client.ask('BEGIN');
  const status = () => call<object>('GET', `/${id}/status`);
  await expect.poll(status).toMatchObject({
    clients: 5,
    waiting_clients: 0,
    links: { checked_out: 3, opening: 0 },
  });
  for (const client of clients) await client.end();
  await call('DELETE', `/${id}`);
});

it('holds the limit of what it makes, changes, and makes again under the same name', async () => {
  const count = await ConnectionCount.start(other);
  for (const round of [1, 2]) {
    const { id, target } = await create('again', 8);
    // What proved the origin, and what was connected before, goes in its own time.
    await expect.poll(() => count.now).toBe(0);
    const clients = await connectAll(target, 12);
    const work = async (rounds: number): Promise<void> => {
      for (let n = 0; n < rounds; n++) {
        await Promise.all(clients.map((client) => client.rows('SELECT pg_sleep(0.02)')));
      }
    };
    await work(5);
    count.most = 0;
    await work(20);
    expect([round, count.most]).toEqual([round, 8]);
    await call('PATCH', `/${id}`, { origin_connection_limit: 5 });
    await work(10);
    count.most = 0;
    await work(20);
    expect([round, count.most]).toEqual([round, 5]);
    await call('DELETE', `/${id}`);
    for (const client of clients) expect(await lastWord(client)).toBe('57P01');
  }
  await count.stop();
});
