/** Limits and what clients are told when they meet them; wording as Hyperdrive's. */
import { afterEach, describe, expect, it } from 'vitest';
import { type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { codesOf, errorsOf, fieldsOf, type Reply, type WireClient } from '../support/wire.ts';
import { copyData, copyDone, query, sync, unnamed } from '../support/wire-messages.ts';

let gateway: TestGateway;

afterEach(async () => {
  await gateway.stop();
});

async function start(options: GatewayOptions): Promise<void> {
  gateway = await TestGateway.start(options);
}

const told = (replies: readonly Reply[]): (string | undefined)[] => {
  const fields = fieldsOf((replies.find(({ code }) => code === 'E') as Reply).body);
  return [fields['S'], fields['C'], fields['M']];
};

describe('limits', () => {
  it('a wait for the pool ends at its limit, and the next client is not in the way', async () => {
    await start({ timeouts: { waitTimeoutMs: 1_500 } });
    const holder = await gateway.connect();
    await holder.rows('BEGIN');
    const waiter = await gateway.connect();
    const sinceMs = Date.now();
    waiter.send(query('SELECT 1'), query('SELECT 2'));
    const replies = await waiter.readToEnd();
    expect(told(replies)).toEqual([
      'FATAL',
      '58000',
      'Timed out while waiting for an open slot in the pool.',
    ]);
    expect(Date.now() - sinceMs).toBeGreaterThanOrEqual(1_490);
    expect(Date.now() - sinceMs).toBeLessThan(10_000);
    await holder.rows('COMMIT');
    const next = await gateway.connect();
    expect(await next.rows('SELECT 42')).toEqual([['42']]);
  });

  it('more waiting clients than allowed are refused at once', async () => {
    // What the gateway asks about their statements would be one more to wait.
    await start({ waitersMax: 2, caching: { disabled: true } });
    const clients: WireClient[] = [];
    while (clients.length < 4) clients.push(await gateway.connect());
    const [holder, first, second, third] = clients;
    await holder?.rows('BEGIN');
    first?.send(query('SELECT 1'));
    second?.send(query('SELECT 2'));
    await nap(30);
    third?.send(query('SELECT 3'));
    expect(told((await third?.readToEnd(2_000)) ?? [])).toEqual([
      'FATAL',
      '58000',
      'Failed to acquire a connection from the pool.',
    ]);
    await holder?.rows('COMMIT');
    expect(codesOf((await first?.readReady()) ?? [])).toBe('TDCZ');
    expect(codesOf((await second?.readReady()) ?? [])).toBe('TDCZ');
  });

  it('a statement beyond its limit is cancelled; COPY and DDL are not', async () => {
    await start({ timeouts: { statementTimeoutMs: 400 } });
    const client = await gateway.connect();
    for (const messages of [
      [query('SELECT pg_sleep(5)')],
      [...unnamed('SELECT pg_sleep(5)'), sync()],
    ]) {
      client.send(...messages);
      const replies = await client.readReady();
      expect(told(replies)).toEqual([
        'ERROR',
        '58000',
        'Timed out while waiting for a message from the origin database.',
      ]);
      expect(await client.rows('SELECT 1')).toEqual([['1']]);
    }
    await client.rows(`CREATE TABLE slow AS SELECT 1 FROM pg_sleep(1.2)`);
    await client.rows('CREATE TABLE item (n int)');
    client.send(query('COPY item FROM STDIN'));
    await nap(1_200);
    client.send(copyData('1\n'), copyDone());
    expect(errorsOf(await client.readReady())).toEqual([]);
    // A transaction that only lies idle is nobody's statement.
    await client.rows('BEGIN');
    await nap(1_200);
    expect(await client.rows('SELECT 1')).toEqual([['1']]);
    await client.rows('COMMIT');
  });

  // Fails when ClientWatch does not look at what is unread.
  it('hazard 24: a client that reads nothing is cut off, and its link is free for the next', async () => {
    await start({ timeouts: { clientUnreadTimeoutMs: 2_000 } });
    const client = await gateway.connect();
    client.consume(() => client.socket.pause());
    // More than the sockets in between hold; what is left of it is read before the link is free.
    client.send(query("SELECT repeat('x', 10000) FROM generate_series(1, 6000)"));
    await nap(100);
    const next = await gateway.connect();
    expect(await next.rows('SELECT 42', 30_000)).toEqual([['42']]);
    client.consume(() => {});
    client.socket.resume();
    expect(await client.readToEnd(30_000)).toEqual([]);
  });

  it('waiting clients are served first come, first served', async () => {
    await start({});
    const holder = await gateway.connect();
    await holder.rows('BEGIN');
    const order: number[] = [];
    const answers: Promise<unknown>[] = [];
    for (let at = 0; at < 12; at++) {
      const client = await gateway.connect();
      answers.push(client.rows(`SELECT ${at}`).then(() => order.push(at)));
      await nap(5);
    }
    await holder.rows('COMMIT');
    await Promise.all(answers);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('a gateway that shuts down lets a transaction end, and refuses nobody without a word', async () => {
    await start({ links: 2 });
    const idle = await gateway.connect();
    const busy = await gateway.connect();
    await busy.rows('BEGIN');
    const drained = gateway.gateway.drain(3_000);
    expect(told(await idle.readToEnd(2_000)).slice(0, 2)).toEqual(['FATAL', '57P01']);
    expect(await busy.rows('SELECT 1')).toEqual([['1']]);
    busy.send(query('COMMIT'));
    const replies = await busy.readToEnd(4_000);
    expect(codesOf(replies)).toBe('CZE');
    await drained;
  });
});
