import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { errorsOf, fieldsOf, rowsOf, sendCancel, WireClient } from '../../support/wire.ts';
import { query } from '../../support/wire-messages.ts';
import { descendants } from '../support/leftovers.ts';
import { PASSWORD, type ServeSettings, startDev } from '../support/millrace.ts';
import { Crew, isAlive, workerOf } from './crew.ts';
import { askDirect } from './direct.ts';

const PROTOCOL_3_0 = 0x30000;
const PROTOCOL_3_2 = 0x30002;

let database: TestDatabase;
let crew: Crew | null = null;

beforeAll(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  if (crew?.serve.program.isRunning === true) await crew.serve.stop();
  crew = null;
});

afterAll(async () => {
  await database?.drop();
});

async function start(settings: Partial<ServeSettings> = {}, workers = 2): Promise<Crew> {
  crew = await Crew.start(database, settings, workers);
  return crew;
}

const perWorker = (clients: readonly WireClient[]): Record<number, number> =>
  Object.fromEntries(
    [1, 2, 3].map((number) => [
      number,
      clients.filter((client) => workerOf(client) === number).length,
    ]),
  );

describe('workers', () => {
  it('get equal numbers of clients, whose process IDs are unique', async () => {
    const started = await start({ links: 6 }, 3);
    const clients: WireClient[] = [];
    for (let n = 0; n < 12; n++) clients.push(await started.connect());
    expect(perWorker(clients)).toEqual({ 1: 4, 2: 4, 3: 4 });
    expect(new Set(clients.map(({ processId }) => processId)).size).toBe(12);
    for (const client of clients.filter((one) => workerOf(one) === 2)) await client.end();
    const later: WireClient[] = [];
    for (let n = 0; n < 4; n++) later.push(await started.connect());
    expect(perWorker(later)).toEqual({ 1: 0, 2: 4, 3: 0 });
    const here = [...clients.filter((one) => workerOf(one) !== 2), ...later];
    for (const client of here) expect(await client.rows('SELECT 1')).toEqual([['1']]);
  });

  it('say what they are in their titles, and hold secrets in no argument or environment', async () => {
    const started = await start();
    const { serve } = started;
    const pids = started.workerPids();
    expect(pids).toHaveLength(2);
    const titles = [serve.program.pid, ...pids].map((pid) => read(pid, 'cmdline'));
    expect(titles.map((title) => title.replaceAll('\0', '').trim()).toSorted()).toEqual([
      'millrace: serve',
      'millrace: worker 1',
      'millrace: worker 2',
    ]);
    const password = decodeURIComponent(new URL(database.url).password);
    // The primary was given them in its environment: the test would see them there.
    expect(read(serve.program.pid, 'environ')).toContain(PASSWORD);
    for (const pid of pids) {
      const seen = read(pid, 'environ') + read(pid, 'cmdline');
      for (const secret of [PASSWORD, password]) expect(seen).not.toContain(secret);
      expect(seen).toContain('PATH=');
    }
  });

  it('share clients_max of a listener', async () => {
    const started = await start({ listener: 'clients_max = 3' });
    const clients: WireClient[] = [];
    for (let n = 0; n < 3; n++) clients.push(await started.connect());
    await expect(started.connect()).rejects.toMatchObject({ cause: { C: '53300' } });
    await clients[1]?.end();
    const again = () => started.connect().then((client) => client.end(), String);
    await expect.poll(again).toBe(undefined);
  });

  it('answer a client that has ended its own side, as PostgreSQL does', async () => {
    const started = await start();
    const client = await started.connect();
    client.send(query("SELECT 'late' FROM pg_sleep(0.3)"));
    client.socket.end();
    expect(rowsOf(await client.readToEnd())).toEqual([['late']]);
  });

  it('show the same salt to a user, who exists or not, whichever of them is asked', async () => {
    const { target } = await start();
    for (const user of [target.user, 'nobody']) {
      const salts = new Set<string>();
      for (let n = 0; n < 4; n++) salts.add(await saltOf({ ...target, user }));
      expect([user, salts.size]).toEqual([user, 1]);
    }
  });
});

describe('a cancel request', () => {
  /** How many statements sleep. A request that comes before they have begun means nothing. */
  const sleeping = () =>
    askDirect(
      database,
      `SELECT count(*) FROM pg_stat_activity
       WHERE wait_event = 'PgSleep' AND datname = current_database()`,
    );

  // Fails when Gateway.cancel does not ask the siblings, when Exchange asks all workers but the right
  // one, and when Gateway.cancelHere compares no key.
  it('hazard 6: that comes to another worker cancels what its client does, and no more', async () => {
    const started = await start({ links: 4 });
    const other = await started.connectTo(2);
    const [spare, neighbour] = [await started.connectTo(1), await started.connectTo(1)];
    await other.end();
    for (const version of [PROTOCOL_3_0, PROTOCOL_3_2]) {
      const victim = await started.connectTo(1, version);
      expect(victim.secretKey).toHaveLength(version === PROTOCOL_3_2 ? 32 : 4);
      // The worker that has fewest clients gets the connection with the request: the other one.
      neighbour.send(query('SELECT pg_sleep(3)'));
      victim.send(query('SELECT pg_sleep(30)'));
      await expect.poll(sleeping, { timeout: 2_000 }).toBe('2');
      const { processId, secretKey, target } = victim;
      for (const bit of [0, 7, 8 * secretKey.length - 1]) {
        const wrong = Buffer.from(secretKey);
        wrong.writeUInt8(wrong.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await sendCancel(target, processId, wrong);
      }
      await sendCancel(target, processId, Buffer.concat([secretKey, Buffer.alloc(1)]));
      await sendCancel(target, processId, neighbour.secretKey);
      await sendCancel(target, processId ^ 1, secretKey);
      for (const worker of [2, 3, 99]) {
        await sendCancel(target, (worker << 24) | (processId & 0xffffff), secretKey);
      }
      await expect(victim.read(200)).rejects.toThrow('no message');
      await sendCancel(target, processId, secretKey);
      expect(errorsOf(await victim.readReady())).toEqual(['57014']);
      expect(errorsOf(await neighbour.readReady())).toEqual([]);
      expect(await victim.rows('SELECT 2')).toEqual([['2']]);
      await victim.end();
    }
    await spare.end();
  });

  it('ends its connection only when the next statement is safe', async () => {
    const started = await start();
    const victim = await started.connectTo(1);
    for (let round = 0; round < 20; round++) {
      victim.send(query('SELECT pg_sleep(20)'));
      await expect.poll(sleeping, { timeout: 10_000 }).toBe('1');
      await victim.cancel();
      expect(errorsOf(await victim.readReady())).toEqual(['57014']);
      expect(await victim.rows('SELECT pg_sleep(0.01), 1')).toEqual([['', '1']]);
    }
  });
});

describe('what one worker knows', () => {
  it('of pins is shown by every worker, until they end', async () => {
    const started = await start();
    const [pinned, asker] = [await started.connectTo(1), await started.connectTo(2)];
    await pinned.ask('LISTEN here');
    const pins = () => asker.rows('SHOW millrace.pins');
    await expect.poll(pins).toMatchObject([[`${pinned.processId}`, 'web', '', /^\d+$/, /LISTEN/]]);
    await asker.ask('LISTEN there');
    await expect.poll(async () => (await pins()).length).toBe(2);
    await pinned.end();
    await expect.poll(async () => (await pins()).length).toBe(1);
  });

  it('of a table that changes is known to the others', async () => {
    const started = await start();
    const [one, two] = [await started.connectTo(1), await started.connectTo(2)];
    await one.ask('CREATE TABLE changing (n int); INSERT INTO changing VALUES (1)');
    expect(await two.rows('SELECT * FROM changing')).toEqual([['1']]);
    await one.ask('ALTER TABLE changing ADD COLUMN m int DEFAULT 2');
    expect(await two.rows('SELECT * FROM changing')).toEqual([['1', '2']]);
  });
});

describe('a reload', () => {
  const second = `[[configurations]]
name = "second"
[configurations.origin]
url = "env:ORIGIN_URL"
[[configurations.credentials]]
user = "web"
password = "env:WEB_PASSWORD"
`;

  it('reaches every worker, and one that is refused reaches none', async () => {
    const started = await start();
    const into = () => WireClient.connect({ ...started.target, database: 'second' });
    const kept = [await started.connectTo(1), await started.connectTo(2)];
    await started.write({ rest: second });
    await started.serve.program.says('stderr', /configuration reloaded/);
    const clients = [await into(), await into(), await into(), await into()];
    expect(perWorker(clients)).toEqual({ 1: 2, 2: 2, 3: 0 });
    for (const client of clients) expect(await client.rows('SELECT 5')).toEqual([['5']]);
    await started.write({ rest: `${second}[[listeners]]\naddress = "192.0.2.1"\n` });
    await started.serve.program.says('stderr', /configuration not reloaded/);
    await started.write({ rest: `${second}[[listeners]]\ntls = "required"\n` });
    await expect.poll(() => started.count('configuration not reloaded, the old one stays')).toBe(2);
    for (const client of [...clients, await into(), await into()]) {
      expect(await client.rows('SELECT 6')).toEqual([['6']]);
    }
    await started.write({});
    for (const client of clients) {
      const [last] = (await client.readToEnd()).slice(-1);
      expect(fieldsOf(last?.body as Buffer)['C']).toBe('57P01');
    }
    for (const client of kept) expect(await client.rows('SELECT 7')).toEqual([['7']]);
    await expect(into()).rejects.toThrow('28P01');
  });
});

function read(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'utf8');
}

/** The salt in the first message of a SCRAM exchange. */
async function saltOf(target: Crew['target']): Promise<string> {
  let seen = '';
  const client = await WireClient.dial(target);
  const { socket } = client;
  const first = client.logIn().catch(() => {});
  socket.prependListener('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
  });
  await first;
  socket.destroy();
  return /,s=([^,]+),i=/.exec(seen)?.[1] ?? '';
}

describe('millrace dev', () => {
  it('has workers when it is asked for them, and ends with them', async () => {
    const dev = await startDev(['--ephemeral', '--workers', '2']);
    const url = new URL(dev.url);
    const target = { host: dev.host, port: dev.port, database: 'demo', user: 'millrace' };
    const both = [1, 2].map(() => WireClient.connect({ ...target, password: url.password }));
    expect(perWorker(await Promise.all(both))).toEqual({ 1: 1, 2: 1, 3: 0 });
    const pids = descendants(dev.program.pid);
    expect(await dev.program.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});
