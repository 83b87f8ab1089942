/** The query cache, where several workers read and write. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask, settledStatus, simple, statusOf, warm } from '../../support/cached.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { rowsOf } from '../../support/wire.ts';
import { Crew } from './crew.ts';
import { askDirect } from './direct.ts';

const READ = simple('SELECT n FROM counter');
const ROUNDS = 30;

let database: TestDatabase;
let crew: Crew | null = null;

beforeAll(async () => {
  database = await createDatabase();
  await askDirect(database, 'CREATE TABLE counter AS SELECT 0 AS n');
});

afterEach(async () => {
  if (crew?.serve.program.isRunning === true) await crew.serve.stop();
  crew = null;
});

afterAll(async () => {
  await database?.drop();
});

describe('workers', () => {
  it('never give an answer that is older than what a client of another one has written', async () => {
    crew = await Crew.start(database, { links: 4 });
    const [one, two] = [await crew.connectTo(1), await crew.connectTo(2)];
    await settledStatus(one, READ);
    await settledStatus(two, READ);
    for (let n = 1; n <= ROUNDS; n++) {
      const [writer, reader] = n % 2 === 0 ? [one, two] : [two, one];
      await ask(reader, READ);
      await ask(writer, simple('UPDATE counter SET n = n + 1'));
      expect(rowsOf(await ask(reader, READ))).toEqual([[`${n}`]]);
    }
  });

  it('all forget what is purged', async () => {
    const storage = await createDatabase();
    const token = randomBytes(24).toString('hex');
    const rest = `[api]\nport = 0\ntoken = "env:API_TOKEN"\n
[store]\nurl = "env:STORE_URL"\nkey = "file:store.key"\n`;
    const timeouts = '[configurations.caching]\nmode = "ttl"';
    const env = { API_TOKEN: token, STORE_URL: storage.url };
    crew = await Crew.start(database, { links: 4, timeouts, rest }, 2, env);
    const { program } = crew.serve;
    const [, url = ''] = await program.says('stderr', /"url":"([^"]+)"[^\n]*the API listens/);
    const call = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${url}/accounts/${'a'.repeat(32)}/hyperdrive/configs${path}`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return ((await response.json()) as { result: unknown }).result;
    };
    const [{ id }] = (await call('GET', '')) as [{ id: string }];
    const clients = [await crew.connectTo(1), await crew.connectTo(2)];
    for (const client of clients) await warm(client, READ);
    await askDirect(database, 'UPDATE counter SET n = n + 1000');
    expect(await call('POST', `/${id}/purge`, { table: 'counter' })).toEqual({ purged: 2 });
    for (const client of clients) {
      expect(Number(rowsOf(await ask(client, READ))[0]?.[0])).toBeGreaterThanOrEqual(1000);
      expect(await statusOf(client)).toBe('miss');
    }
    await crew.serve.stop();
    await storage.drop();
  });

  it('keep nothing in mode write-through, as they know only of what they write themselves', async () => {
    crew = await Crew.start(database);
    for (const worker of [1, 2]) {
      const client = await crew.connectTo(worker);
      expect(await settledStatus(client, READ)).toBe('disabled');
      expect(rowsOf(await client.ask('SHOW millrace.cache'))).toEqual([['off']]);
    }
  });
});
