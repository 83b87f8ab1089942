/** The query cache, where several workers read and write. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hits, runWorld, SCHEMA } from '../../support/cache-world.ts';
import { ask, simple, statusOf, warm } from '../../support/cached.ts';
import { directTarget } from '../../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { rowsOf, WireClient } from '../../support/wire.ts';
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
    for (const client of [one, two]) await warm(client, READ);
    let hits = 0;
    for (let n = 1; n <= ROUNDS; n++) {
      const [writer, reader] = n % 2 === 0 ? [one, two] : [two, one];
      await ask(reader, READ);
      await ask(writer, simple('UPDATE counter SET n = n + 1'));
      expect(rowsOf(await ask(reader, READ))).toEqual([[`${n}`]]);
      await warm(reader, READ);
      expect(rowsOf(await ask(reader, READ))).toEqual([[`${n}`]]);
      if ((await statusOf(reader)) === 'hit') hits++;
    }
    expect(hits).toBe(ROUNDS);
  });

  it.each([1, 2])('never do, whatever their clients are at (seed %i)', async (seed) => {
    const models = await createDatabase();
    const started = await Crew.start(models, { links: 4 });
    crew = started;
    const places = [1, 2].map((worker) => ({ connect: () => started.connectTo(worker) }));
    const origin = { connect: () => WireClient.connect(directTarget(models)) };
    const direct = await origin.connect();
    await direct.rows(SCHEMA);
    await direct.end();
    const world = await runWorld(places, origin, { seed, steps: 150 });
    expect(world.violations).toEqual([]);
    // A cache that answers nothing would be right, too.
    expect(await hits(places)).toBeGreaterThan(world.reads / 20);
    await started.serve.stop();
    await models.drop();
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
});
