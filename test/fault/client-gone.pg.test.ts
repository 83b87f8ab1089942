/** A client goes away in every state: what it held is released, and the only link serves the next. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { codesOf, rowsOf, WireClient } from '../support/wire.ts';
import {
  bind,
  copyData,
  execute,
  flush,
  parse,
  query,
  sync,
  terminate,
  unnamed,
} from '../support/wire-messages.ts';

/** How it goes. `end` is a half-closed connection: the client would still read. */
const WAYS = {
  'with a FIN': (client: WireClient) => client.vanish('fin'),
  'with an RST': (client: WireClient) => client.vanish('rst'),
  'closing its side only': (client: WireClient) => void client.socket.end(),
  'with a Terminate': (client: WireClient) => {
    client.send(terminate());
    client.socket.end();
  },
} as const;
type Way = keyof typeof WAYS;
const WAY_NAMES = Object.keys(WAYS) as Way[];

describe.each(['transaction', 'session'] as const)(
  'a client that goes away, in %s mode',
  (poolMode) => {
    let gateway: TestGateway;
    let side: WireClient;

    beforeEach(async () => {
      gateway = await TestGateway.start({ poolMode });
      side = await gateway.connectDirect();
      await side.rows(
        'CREATE TABLE item (id int PRIMARY KEY, body text); INSERT INTO item VALUES (1)',
      );
    });

    afterEach(async () => {
      await gateway.stop();
      side.vanish();
    });

    /** The next client works as if it were the first; what was begun has left no trace. */
    async function expectServed(): Promise<void> {
      const next = await gateway.connect();
      expect(await next.rows('SELECT count(*), max(body) FROM item')).toEqual([['1', null]]);
      next.send(...unnamed('SELECT $1::int + 1', ['41']), sync());
      const replies = await next.readReady();
      expect(codesOf(replies)).toBe('12DCZ');
      expect(rowsOf(replies)).toEqual([['42']]);
      await next.rows('BEGIN; UPDATE item SET body = NULL WHERE id = 1; COMMIT');
      await next.end();
      expect(gateway.complaints).toEqual([]);
    }

    describe.each(WAY_NAMES)('%s', (way) => {
      it('idle', async () => {
        const client = await gateway.connect();
        await client.rows('SELECT 1');
        WAYS[way](client);
        await expectServed();
      });

      it('in a transaction: it is rolled back, and its row locks are released', async () => {
        const client = await gateway.connect();
        await client.rows("BEGIN; UPDATE item SET body = 'locked' WHERE id = 1");
        WAYS[way](client);
        await side.rows('UPDATE item SET body = NULL WHERE id = 1', 5_000);
        await expectServed();
      });

      it('in a transaction that has failed', async () => {
        const client = await gateway.connect();
        await client.ask("BEGIN; UPDATE item SET body = 'x'; SELECT 1/0");
        WAYS[way](client);
        await expectServed();
      });

      it('while its statement runs', async () => {
        const client = await gateway.connect();
        client.send(query('SELECT pg_sleep(0.3)'));
        await nap(50);
        WAYS[way](client);
        await expectServed();
      });

      it('while it waits for a link, without holding the others up', async () => {
        const holder = await gateway.connect();
        await holder.rows('BEGIN');
        // In session mode the login itself waits for the link.
        const waiting = poolMode === 'session' ? null : await gateway.connect();
        waiting?.send(query("INSERT INTO item VALUES (2, 'of one who left')"));
        const next = expectServed();
        await nap(50);
        if (waiting !== null) WAYS[way](waiting);
        await nap(50);
        // But for an RST, all look like one who waits for its answer with its own side closed.
        const isPolite = way !== 'with an RST';
        await holder.rows('COMMIT');
        await holder.end();
        if (isPolite) {
          // It asked before it left: it may be answered, so its row may be there.
          await next.catch(() => {});
          await side.rows('DELETE FROM item WHERE id = 2');
          await expectServed();
        } else await next;
      });

      it('in a unit without its Sync', async () => {
        const client = await gateway.connect();
        client.send(...unnamed("UPDATE item SET body = 'unsynced'"), flush());
        for (const code of '12C') expect((await client.read()).code).toBe(code);
        WAYS[way](client);
        await side.rows('UPDATE item SET body = NULL WHERE id = 1', 5_000);
        await expectServed();
      });

      it('in a unit without its Sync, whose answers the server still keeps', async () => {
        const client = await gateway.connect();
        client.send(...unnamed("UPDATE item SET body = 'unsynced'"));
        await nap(50);
        WAYS[way](client);
        await side.rows('UPDATE item SET body = NULL WHERE id = 1', 5_000);
        await expectServed();
      });

      it('in a COPY', async () => {
        const client = await gateway.connect();
        client.send(query('COPY item FROM STDIN'), copyData('5\tx\n6\ty\n'));
        expect((await client.read()).code).toBe('G');
        WAYS[way](client);
        await expectServed();
      });

      it.each([1, 3, 5, 9, 60])('after %d bytes of a Query', async (bytes) => {
        const client = await gateway.connect();
        client.send(query(`SELECT '${'x'.repeat(80)}'`).subarray(0, bytes));
        await nap(20);
        WAYS[way](client);
        await expectServed();
      });

      it.each([1, 5, 60])('after a Parse and %d bytes of a Bind', async (bytes) => {
        const client = await gateway.connect();
        const message = bind('', '', ['x'.repeat(100)]);
        client.send(parse('', 'SELECT $1::text'), message.subarray(0, bytes));
        await nap(20);
        WAYS[way](client);
        await expectServed();
      });

      it('in the middle of a large parameter and of a large statement', async () => {
        for (const message of [
          bind('', '', ['x'.repeat(3_000_000)]),
          query(`SELECT '${'x'.repeat(3_000_000)}'`),
        ]) {
          const client = await gateway.connect();
          client.send(parse('', 'SELECT length($1)'), message.subarray(0, 1_500_000));
          await nap(50);
          WAYS[way](client);
          await expectServed();
        }
      });

      it('in the middle of a pipeline', async () => {
        const client = await gateway.connect();
        for (let at = 0; at < 50; at++) {
          client.send(parse('', 'SELECT pg_sleep(0.002)'), bind('', ''), execute(), sync());
        }
        await client.readReady(3);
        WAYS[way](client);
        await expectServed();
      });
    });
  },
);

describe('a client behind a bad network', () => {
  it.each([1, 5, 30, 200, 2_000, 70_000])('cut off after %d bytes of answers', async (bytes) => {
    const gateway = await TestGateway.start();
    const proxy = await FaultProxy.start(gateway.target);
    try {
      for (const cut of ['fin', 'rst'] as const) {
        const client = await WireClient.connect({ ...gateway.target, ...proxy.at });
        for (const pair of proxy.open) Object.assign(pair.down, { bytesLeft: bytes, cut });
        client.send(query('SELECT generate_series(1, 100000)'), ...unnamed('SELECT 1'), sync());
        await client.readToEnd(5_000);
        const next = await gateway.connect();
        expect(await next.rows('SELECT 42')).toEqual([['42']]);
        await next.end();
      }
      expect(gateway.complaints).toEqual([]);
    } finally {
      await proxy.stop();
      await gateway.stop();
    }
  });

  it('that delays and cuts bytes anywhere: every answer is right', async () => {
    const gateway = await TestGateway.start({ links: 2 });
    const proxy = await FaultProxy.start(gateway.target);
    proxy.onPair = (pair) => {
      pair.up.pieces = [1, 6, 2, 9];
      pair.down.pieces = [4, 1, 11];
      pair.down.delayMs = 2;
    };
    try {
      const clients = await Promise.all(
        [1, 2, 3, 4].map(() => WireClient.connect({ ...gateway.target, ...proxy.at })),
      );
      const work = clients.map(async (client, at) => {
        for (let round = 0; round < 10; round++) {
          const value = `${at}.${round}`;
          client.send(parse(`s${round}`, 'SELECT $1::text'), bind('', `s${round}`, [value]));
          client.send(execute(), sync(), query(`SELECT '${value}'`));
          expect(rowsOf(await client.readReady(2))).toEqual([[value], [value]]);
        }
      });
      await Promise.all(work);
    } finally {
      await proxy.stop();
      await gateway.stop();
    }
  });
});
