/** Cancel requests that must hit one statement, and no other, or nothing at all. */
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { ConfigurationConfig } from '../../src/config/model.ts';
import { directTarget } from '../support/gateway.ts';
import { nap, stageForEach, times } from '../support/stage.ts';
import { errorsOf, sendCancel, WireClient } from '../support/wire.ts';
import { query } from '../support/wire-messages.ts';

const CANCEL_CODE = 80_877_102;

describe('cancel requests', () => {
  const stage = stageForEach();

  // Fails when Database.cancel sends the request although the head of the ledger is its own.
  it('hazard 5: a cancel never hits the settings that are made for its client', async () => {
    const gateway = await stage.start();
    // So many that making them takes the server some milliseconds.
    const names = times(1_500, (at) => `app.k${at}`);
    const own = async (encoding: string, value: string): Promise<WireClient> => {
      const client = await gateway.connect({ client_encoding: encoding });
      for (let at = 0; at < names.length; at += 50) {
        const some = names.slice(at, at + 50).map((name) => `SET ${name} = '${value}'`);
        await client.rows(some.join(';'));
      }
      return client;
    };
    const storming = await own('LATIN1', 'stormy');
    const steady = await own('UTF8', 'steady');
    const show = `SELECT current_setting('client_encoding'), current_setting('${names.at(-1)}')`;
    let isDone = false;
    const bystander = (async () => {
      while (!isDone) expect(await steady.rows(show)).toEqual([['UTF8', 'steady']]);
    })();
    const outcomes = new Map<string, number>();
    for (let round = 0; round < 120; round++) {
      storming.send(query(show));
      await nap(round % 6);
      await Promise.all([storming.cancel(), storming.cancel()]);
      const replies = await storming.readReady();
      const outcome = errorsOf(replies).join() || 'answered';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === 'answered') {
        expect(replies.some(({ body }) => body.includes('LATIN1'))).toBe(true);
      }
    }
    isDone = true;
    await bystander;
    expect(outcomes.get('answered') ?? 0).toBeGreaterThan(0);
    expect([...outcomes.keys()].filter((one) => one !== '57014' && one !== 'answered')).toEqual([]);
    expect(await storming.rows(show)).toEqual([['LATIN1', 'stormy']]);
  });

  // Fails when ClientRegistry.find compares only the process ID, or only the first four bytes.
  it('hazard 6: a key that is wrong in any bit cancels nothing, and no two are equal', async () => {
    const gateway = await stage.start({ links: 2 });
    const clients: WireClient[] = [];
    for (const version of [...times(20, () => 0x30002), ...times(20, () => 0x30000)]) {
      const client = await WireClient.dial(gateway.target);
      await client.logIn({}, version);
      clients.push(client);
    }
    const sizes = clients.map(({ secretKey }) => secretKey.length);
    expect(sizes).toEqual([...times(20, () => 32), ...times(20, () => 4)]);
    expect(new Set(clients.map(({ secretKey }) => secretKey.toString('hex'))).size).toBe(40);
    expect(new Set(clients.map(({ processId }) => processId)).size).toBe(40);
    const [client, other] = clients as [WireClient, WireClient];
    const sleep = client.ask('SELECT pg_sleep(30)', 30_000);
    await nap(50);
    const { processId, secretKey } = client;
    const flipped = times(secretKey.length * 8, (bit) => {
      const key = Buffer.from(secretKey);
      key[bit >> 3] = (key[bit >> 3] as number) ^ (1 << (bit & 7));
      return key;
    });
    const wrong = [other.secretKey, secretKey.subarray(0, 4), Buffer.alloc(32), ...flipped];
    for (const key of wrong) await sendCancel(gateway.target, processId, key);
    await sendCancel(gateway.target, other.processId, secretKey);
    await sendCancel(gateway.target, processId + 1, secretKey);
    await expect(Promise.race([sleep, nap(100)])).resolves.toBe(undefined);
    await client.cancel();
    expect(errorsOf(await sleep)).toEqual(['57014']);
  });

  // Fails when a link waits for its cancel request for an hour (CANCEL_TIMEOUT_MS), and when
  // Database.cancel opens a connection for every request.
  it('hazard 27: cancel requests that are never answered take up no link for long', async () => {
    const database = await stage.makeDatabase();
    const target = directTarget(database);
    const swallowed: Socket[] = [];
    const front = createServer((near) => {
      near.on('error', () => {});
      near.once('data', (first) => {
        if (first.readUInt32BE(4) === CANCEL_CODE) {
          swallowed.push(near);
          return;
        }
        const far = connect(target);
        far.on('error', () => near.destroy());
        near.on('close', () => far.destroy());
        far.write(first);
        near.pipe(far).pipe(near);
      });
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    stage.after(() => {
      front.close();
      for (const socket of swallowed) socket.destroy();
    });
    const { port } = front.address() as { port: number };
    const gateway = await stage.start({ originAt: { host: '127.0.0.1', port } }, database);
    const side = await gateway.connectDirect();
    const holder = await gateway.connectDirect();
    await holder.rows('CREATE TABLE gate ()');
    await holder.rows('BEGIN');
    await holder.rows('LOCK TABLE gate');
    const client = await gateway.connect();
    client.send(query("SELECT 'mine' FROM gate"));
    const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    const here = 'datname = current_database()';
    await expect.poll(() => side.rows(`${waiting} AND ${here}`)).toEqual([['1']]);
    const cancels = times(30, () => client.cancel());
    await expect.poll(() => swallowed.length).toBe(1);
    // The other requests have this long to be more than they may be.
    await nap(100);
    await holder.rows('COMMIT');
    await holder.end();
    expect(errorsOf(await client.readReady())).toEqual([]);
    expect(swallowed).toHaveLength(1);
    // The request may still strike what runs there, so it is another link that comes.
    const next = await gateway.connect();
    expect(await next.rows('SELECT 42')).toEqual([['42']]);
    expect(await client.rows('SELECT 43')).toEqual([['43']]);
    await Promise.all(cancels);
    const ours = `SELECT count(*) FROM pg_stat_activity WHERE ${here}
      AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    await expect.poll(() => side.rows(ours)).toEqual([['1']]);
    await side.end();
  });

  // Fails when Pool.onOpenFailed does not count the attempt as over.
  it('hazard 27: a server that never answers costs a connection attempt no longer than its limit', async () => {
    const database = await stage.makeDatabase();
    const target = directTarget(database);
    let isSilent = true;
    const front = createServer((near) => {
      near.on('error', () => {});
      stage.after(() => near.destroy());
      if (isSilent) return;
      const far = connect(target);
      near.on('close', () => far.destroy());
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    stage.after(() => front.close());
    const { port } = front.address() as { port: number };
    const timeouts = { connectTimeoutMs: 200, waitTimeoutMs: 3_000 };
    const options = { originAt: { host: '127.0.0.1', port }, links: 2, timeouts };
    const gateway = await stage.start(options, database);
    const refused = await Promise.allSettled(times(6, () => gateway.connect()));
    expect(refused.map(({ status }) => status)).toEqual(times(6, () => 'rejected'));
    // What was begun under that limit must not refuse anybody later.
    await expect.poll(() => gateway.gateway.status()[0]?.links.opening).toBe(0);
    isSilent = false;
    // A busy machine may need longer for a login than the limit above.
    const [app] = gateway.config.configurations as [ConfigurationConfig];
    const patient = { ...app.timeouts, connectTimeoutMs: 15_000, waitTimeoutMs: 15_000 };
    const configurations = [{ ...app, timeouts: patient }];
    await gateway.gateway.reload({ ...gateway.config, configurations });
    const clients = await Promise.all(times(4, () => gateway.connect()));
    const answers = clients.map((client, at) => client.rows(`SELECT ${at}, pg_sleep(0.05)`));
    expect((await Promise.all(answers)).flat().map(([at]) => at)).toEqual(['0', '1', '2', '3']);
  });
});
