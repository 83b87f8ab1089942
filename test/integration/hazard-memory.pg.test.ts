/** A result of any size passes in bounded memory, at the pace of the client. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directTarget } from '../support/gateway.ts';
import { GatewayChild } from '../support/gateway-child.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { nap } from '../support/stage.ts';
import { WireClient } from '../support/wire.ts';
import { bind, copyData, copyDone, execute, parse, query, sync } from '../support/wire-messages.ts';

const MEBIBYTE = 1_048_576;
const GROWTH_MAX = 32 * MEBIBYTE;

/** Gigabytes take their time on a busy machine; what is tested is memory. */
const PATIENCE_MS = 240_000;

describe('large results and large loads', () => {
  let database: TestDatabase;
  let gateway: GatewayChild;
  let side: WireClient;

  beforeEach(async () => {
    database = await createDatabase();
    gateway = await GatewayChild.start(database);
    side = await WireClient.connect(directTarget(database));
  });

  afterEach(async () => {
    side?.vanish();
    await gateway?.stop();
    await database?.drop();
  });

  /** The most that the gateway has held more while `work` went on. */
  async function growthDuring(work: () => Promise<void>): Promise<number> {
    const warm = await gateway.connect();
    await warm.ask("SELECT repeat('x', 1000000) FROM generate_series(1, 30)", 20_000);
    await warm.end();
    const before = await gateway.heldBytes();
    let most = before;
    let isOver = false;
    const sampler = (async () => {
      while (!isOver) {
        most = Math.max(most, await gateway.heldBytes());
        await nap(100);
      }
    })();
    try {
      await work();
    } finally {
      isOver = true;
      await sampler;
    }
    return Math.max(most, await gateway.heldBytes()) - before;
  }

  /** Bytes that the server process behind the only link has to do, in words of its own. */
  const waitsForClient = async (): Promise<boolean> => {
    const rows = await side.rows(`SELECT wait_event FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'`);
    return rows.some(([event]) => event === 'ClientWrite');
  };

  // Fails when LinkConnection.pause does nothing.
  it.each([
    ['many rows', "SELECT i, repeat('x', 10000) FROM generate_series(1, 107000) AS i"],
    ['few huge rows', "SELECT repeat('x', 53500000) FROM generate_series(1, 20) AS i"],
    ['COPY', "COPY (SELECT repeat('x', 10000) FROM generate_series(1, 107000)) TO STDOUT"],
  ])(
    'hazard 24: 1 GB as %s to a slow client stays in bounded memory',
    async (_, sql) => {
      let received = 0;
      const growth = await growthDuring(async () => {
        const client = await gateway.connect();
        let tail = Buffer.alloc(0);
        const done = new Promise<void>((resolve) => {
          client.consume((chunk) => {
            received += chunk.length;
            tail = Buffer.concat([tail, chunk]).subarray(-6);
            if (tail.toString('latin1') === 'Z\0\0\0\x05I') resolve();
          });
        });
        client.send(query(sql));
        // Slow at first: 4 KiB or so, every now and then, so that the server must be stopped.
        for (let round = 0; round < 15; round++) {
          client.socket.resume();
          await nap(2);
          client.socket.pause();
          await nap(100);
        }
        await expect.poll(waitsForClient, { timeout: 60_000 }).toBe(true);
        client.socket.resume();
        await done;
        await client.end().catch(() => {});
        client.vanish();
      });
      expect(received).toBeGreaterThan(1_000_000_000);
      expect(growth).toBeLessThan(GROWTH_MAX);
    },
    PATIENCE_MS,
  );

  // Fails when Session.close does not let go of its link.
  it('hazard 24: a client that vanishes from a stopped result gives up the link', async () => {
    const client = await gateway.connect();
    client.consume(() => client.socket.pause());
    client.send(query("SELECT repeat('x', 10000) FROM generate_series(1, 107000)"));
    await expect.poll(waitsForClient, { timeout: 60_000 }).toBe(true);
    const next = await gateway.connect();
    const answer = next.rows('SELECT 42', 30_000);
    client.vanish('rst');
    expect(await answer).toEqual([['42']]);
  }, 40_000);

  it(
    'a slow server holds up a client that loads 300 MB, in bounded memory',
    async () => {
      await side.rows(`CREATE TABLE load (body text);
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $f$BEGIN PERFORM pg_sleep(0.0003); RETURN NULL; END$f$;
      CREATE TRIGGER slow BEFORE INSERT ON load FOR EACH ROW EXECUTE FUNCTION slow()`);
      const line = copyData(`${'x'.repeat(99_999)}\n`);
      const growth = await growthDuring(async () => {
        const client = await gateway.connect();
        client.send(query('COPY load FROM STDIN'));
        expect((await client.read()).code).toBe('G');
        for (let at = 0; at < 3_000; at++) {
          if (!client.socket.write(line)) {
            await new Promise((resolve) => client.socket.once('drain', resolve));
          }
        }
        client.send(copyDone());
        const replies = await client.readReady(1, 30_000);
        expect(replies[0]?.body.toString()).toBe('COPY 0\0');
        await client.end();
      });
      expect(growth).toBeLessThan(GROWTH_MAX);
    },
    PATIENCE_MS,
  );

  it(
    'a parameter of 100 MB passes in bounded memory',
    async () => {
      const value = Buffer.alloc(100_000_000, 'x');
      const growth = await growthDuring(async () => {
        const client = await gateway.connect();
        client.send(parse('', 'SELECT length($1::text)'));
        client.send(bind('', '', [value]), execute(), sync());
        const replies = await client.readReady(1, 30_000);
        expect(replies.some(({ body }) => body.toString().endsWith('100000000'))).toBe(true);
        await client.end();
      });
      expect(growth).toBeLessThan(GROWTH_MAX);
    },
    PATIENCE_MS,
  );
});
