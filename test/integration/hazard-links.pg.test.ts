/** What has gone wrong in other poolers when one link serves several clients, one test a hazard. */
import { afterEach, describe, expect, it } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { directTarget, type GatewayOptions, TestGateway } from '../support/gateway.ts';
import { createDatabase } from '../support/pg.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  copyData,
  copyDone,
  copyFail,
  describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

const endings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function start(options: GatewayOptions = {}): Promise<TestGateway> {
  const gateway = await TestGateway.start(options);
  endings.push(() => gateway.stop());
  return gateway;
}

/** A gateway whose links pass through a proxy. */
async function startBehindProxy(
  options: GatewayOptions = {},
): Promise<{ gateway: TestGateway; proxy: FaultProxy }> {
  const database = await createDatabase();
  endings.push(() => database.drop());
  const proxy = await FaultProxy.start(directTarget(database));
  endings.push(() => proxy.stop());
  const gateway = await TestGateway.start({ ...options, originAt: proxy.at }, database);
  endings.push(() => gateway.stop());
  return { gateway, proxy };
}

const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The next client on the only link gets right answers, and nothing but them. */
async function expectHealthy(gateway: TestGateway): Promise<void> {
  const next = await gateway.connect();
  expect(await next.rows('SELECT 42')).toEqual([['42']]);
  next.send(...unnamed('SELECT $1::int + 1', ['1']), sync());
  const replies = await next.readReady();
  expect(codesOf(replies)).toBe('12DCZ');
  expect(rowsOf(replies)).toEqual([['2']]);
  await next.end();
}

describe('links shared by clients', () => {
  it('hazard 1: after a wait that timed out, no client gets the rows of another', async () => {
    const gateway = await start({ timeouts: { waitTimeoutMs: 100 } });
    const counts = { answered: 0, refused: 0 };
    const untilMs = Date.now() + 4_000;
    const work = async (id: number): Promise<void> => {
      let client: WireClient | null = null;
      for (let round = 0; Date.now() < untilMs; round++) {
        try {
          client ??= await gateway.connect();
        } catch {
          // Logins may need a link too.
          continue;
        }
        const unique = `${id}.${round}`;
        client.send(
          parse('', 'SELECT $1::text, pg_sleep($2)'),
          bind('', '', [unique, round % 7 === 0 ? '0.02' : '0']),
          describeMessage('P', ''),
        );
        await nap(round % 3);
        client.send(execute(), sync());
        const replies: string[][] = [];
        for (;;) {
          const reply = await client.readOrEnd();
          if (reply === null || reply.code === 'E') {
            counts.refused++;
            client.vanish();
            client = null;
            break;
          }
          if (reply.code === 'D') replies.push(rowsOf([reply])[0] as string[]);
          if (reply.code === 'Z') {
            expect(replies).toEqual([[unique, '']]);
            counts.answered++;
            break;
          }
        }
      }
      client?.vanish();
    };
    await Promise.all(times(50, work));
    // Both must have happened, or the test has shown nothing.
    expect(counts.answered).toBeGreaterThan(20);
    expect(counts.refused).toBeGreaterThan(10);
    expect(gateway.complaints).toEqual([]);
    await expectHealthy(gateway);
  });

  it('hazard 2: a link is kept until the last Sync of a write is answered', async () => {
    const gateway = await start();
    const work = async (id: number): Promise<void> => {
      const client = await gateway.connect();
      for (let round = 0; round < 60; round++) {
        const unique = times(5, (at) => `${id}.${round}.${at}`);
        client.send(...unique.flatMap((one) => [...unnamed('SELECT $1::text', [one]), sync()]));
        expect(rowsOf(await client.readReady(5)).flat()).toEqual(unique);
        client.send(...unique.map((one) => query(`SELECT '${one}'`)));
        expect(rowsOf(await client.readReady(5)).flat()).toEqual(unique);
      }
      await client.end();
    };
    await Promise.all(times(4, work));
  });

  it('hazard 2: a unit that waits for its Sync holds the link, and others wait in order', async () => {
    const gateway = await start();
    const holder = await gateway.connect();
    holder.send(...unnamed('SELECT 1'), sync(), ...unnamed('SELECT 2'), flush());
    expect(codesOf(await holder.readReady())).toBe('12DCZ');
    const others = await Promise.all(times(5, () => gateway.connect()));
    const order: number[] = [];
    const answers: Promise<void>[] = [];
    for (const [at, other] of others.entries()) {
      answers.push(
        other.rows(`SELECT ${at}`).then((rows) => {
          expect(rows).toEqual([[String(at)]]);
          order.push(at);
        }),
      );
      await nap(10);
    }
    expect(order).toEqual([]);
    holder.send(sync());
    await holder.readReady();
    await Promise.all(answers);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  it('hazard 3: values full of message letters survive any split of the bytes', async () => {
    const { gateway, proxy } = await startBehindProxy();
    const client = await gateway.connect();
    for (const letter of ['Z', 'E', 'C', 'K', '\0x']) {
      const value = letter === '\0x' ? "repeat(E'\\x05', 60000)" : `repeat('${letter}', 60000)`;
      for (const pair of proxy.open) pair.down.pieces = [1, 2, 3, 4, 5, 6, 7, 8, 9];
      const [row] = await client.rows(`SELECT ${value}`, 20_000);
      expect(row?.[0]?.length).toBe(60_000);
      for (const pair of proxy.open) pair.down.pieces = [65_521, 13];
      const [large] = await client.rows(
        `SELECT repeat('${letter === '\0x' ? 'S' : letter}', 8000000)`,
      );
      expect(large?.[0]?.length).toBe(8_000_000);
    }
    await client.end();
  });

  it('hazard 4: a cancel never hits the next user of the link', async () => {
    const gateway = await start();
    const canceller = await gateway.connect();
    const innocent = await gateway.connect();
    let isDone = false;
    let innocentRounds = 0;
    const bystander = (async () => {
      for (; !isDone; innocentRounds++) {
        const rows = await innocent.rows(`SELECT ${innocentRounds}, pg_sleep(0.004)`);
        expect(rows).toEqual([[String(innocentRounds), '']]);
      }
    })();
    const outcomes = new Map<string, number>();
    for (let round = 0; round < 120; round++) {
      canceller.send(query(`SELECT 'own', pg_sleep(0.00${round % 6})`));
      await nap(round % 8);
      const cancel = canceller.cancel();
      const replies = await canceller.readReady();
      await cancel;
      const outcome = errorsOf(replies).join() || 'answered';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    isDone = true;
    await bystander;
    expect([...outcomes.keys()].sort()).toEqual(['57014', 'answered']);
    expect(innocentRounds).toBeGreaterThan(20);
    await expectHealthy(gateway);
  }, 40_000);

  it('hazard 4: a cancel reaches a statement that waits, runs, or neither', async () => {
    const gateway = await start();
    const holder = await gateway.connect();
    await holder.rows('BEGIN');
    const client = await gateway.connect();
    // In the queue: simple, and extended with a second unit behind it.
    client.send(query('SELECT 1'));
    await nap(20);
    await client.cancel();
    expect(errorsOf(await client.readReady())).toEqual(['57014']);
    client.send(...unnamed('SELECT 1'), sync());
    await nap(20);
    await client.cancel();
    expect(codesOf(await client.readReady())).toBe('EZ');
    await holder.rows('COMMIT');
    // Idle: nothing happens.
    await client.cancel();
    expect(await client.rows('SELECT 2')).toEqual([['2']]);
    // At work.
    client.send(query('SELECT pg_sleep(30)'));
    await nap(50);
    await client.cancel();
    expect(errorsOf(await client.readReady())).toEqual(['57014']);
    // In a transaction, which then has failed.
    await client.rows('BEGIN');
    client.send(query('SELECT pg_sleep(30)'));
    await nap(50);
    await client.cancel();
    const replies = await client.readReady();
    expect(errorsOf(replies)).toEqual(['57014']);
    expect(replies.at(-1)?.body.toString()).toBe('E');
    await client.rows('ROLLBACK');
    await expectHealthy(gateway);
  });

  it('hazard 7: equal names and different texts never meet, however many there are', async () => {
    const gateway = await start();
    const clients = await Promise.all(times(8, () => gateway.connect()));
    for (let round = 0; round < 40; round++) {
      const work = clients.map(async (client, at) => {
        const value = `${at}.${round}`;
        client.send(
          parse('s', `SELECT '${value}' || $1 AS "${at % 3}"`),
          bind('', 's', ['!']),
          execute(),
          sync(),
        );
        expect(rowsOf(await client.readReady())).toEqual([[`${value}!`]]);
        client.send(bind('', 's', ['?']), execute(), closeMessage('S', 's'), sync());
        expect(rowsOf(await client.readReady())).toEqual([[`${value}?`]]);
      });
      await Promise.all(work);
    }
  });

  it('hazard 8: one text means what the client’s search_path, types and role make of it', async () => {
    const gateway = await start();
    const side = await gateway.connectDirect();
    await side.rows(`CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 'in a' AS v;
      CREATE SCHEMA b; CREATE TABLE b.t AS SELECT 'in b' AS v`);
    const clients = [
      { client: await gateway.connect({ search_path: 'a' }), value: 'in a' },
      { client: await gateway.connect({ options: '-c search_path=b' }), value: 'in b' },
      { client: await gateway.connect(), value: 'in a' },
    ];
    await clients[2]?.client.rows('SET search_path = a, b');
    for (let round = 0; round < 4; round++) {
      for (const { client, value } of clients) {
        if (round === 0) client.send(parse('s', 'SELECT v FROM t'), sync());
        if (round === 0) await client.readReady();
        client.send(bind('', 's'), execute(), ...unnamed('SELECT v FROM t'), sync());
        expect(rowsOf(await client.readReady())).toEqual([[value], [value]]);
      }
    }
    for (const [type, result] of [
      [25, 'text'],
      [23, 'integer'],
      [25, 'text'],
      [20, 'bigint'],
    ] as const) {
      const client = await gateway.connect();
      client.send(
        parse('s', 'SELECT pg_typeof($1)', [type]),
        bind('', 's', ['1']),
        execute(),
        sync(),
      );
      expect(rowsOf(await client.readReady())).toEqual([[result]]);
      await client.end();
    }
    await side.end();
  });

  it('hazard 9: a Parse that failed leaves nothing, and closing it succeeds', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    for (let round = 0; round < 3; round++) {
      client.send(parse('s', 'SELECT * FROM missing'), sync(), closeMessage('S', 's'), sync());
      expect(codesOf(await client.readReady(2))).toBe('EZ3Z');
      client.send(parse('s', 'SELECT 1'), bind('', 's'), execute(), closeMessage('S', 's'), sync());
      expect(codesOf(await client.readReady())).toBe('12DC3Z');
    }
    const side = await gateway.connectDirect();
    client.send(parse('m', 'SELECT * FROM missing'), bind('', 'm'), execute(), sync());
    expect(codesOf(await client.readReady())).toBe('EZ');
    await side.rows('CREATE TABLE missing AS SELECT 5 AS n');
    client.send(parse('m', 'SELECT * FROM missing'), bind('', 'm'), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([['5']]);
    await side.end();
  });

  it('hazard 12: behind an error everything is skipped to the Sync, and nothing hangs', async () => {
    const gateway = await start();
    const client = await gateway.connect();
    client.send(...unnamed('SELECT 1/0'));
    await nap(30);
    client.send(query('SELECT 2'), ...unnamed('SELECT 3'));
    await nap(30);
    client.send(sync(), query('SELECT 4'));
    const replies = await client.readReady(2);
    expect(codesOf(replies)).toBe('1EZTDCZ');
    expect(rowsOf(replies)).toEqual([['4']]);
    await expectHealthy(gateway);
  });

  const COPY_IN = 'COPY item FROM STDIN';
  it.each<[string, Buffer[]]>([
    ['with Sync and Flush inside', [query(COPY_IN), copyData('1\n'), sync(), flush()]],
    ['that it has failed', [query(COPY_IN), copyFail('no'), copyData('x')]],
    ['that an error has ended', [query(COPY_IN), copyData('x\n'), copyData('y\n')]],
    ['that an error with Syncs has ended', [query(COPY_IN), copyData('x\n'), sync(), copyDone()]],
    ['by parts', [...unnamed(COPY_IN), copyData('1\n2'), flush()]],
    ['within half a message', [query(COPY_IN), copyData('1\n').subarray(0, 6)]],
    ['within the head of a message', [query(COPY_IN), copyData('1\n').subarray(0, 3)]],
    ['in a transaction', [query('BEGIN'), query(COPY_IN), copyData('1\n')]],
  ])('hazard 14: a client that leaves a COPY %s leaves a clean link', async (_, messages) => {
    const gateway = await start();
    const side = await gateway.connectDirect();
    await side.rows('CREATE TABLE item (id int PRIMARY KEY)');
    for (const how of ['fin', 'rst'] as const) {
      const client = await gateway.connect();
      client.send(...messages);
      await nap(30);
      client.vanish(how);
      await expectHealthy(gateway);
    }
    expect(await side.rows('SELECT count(*) FROM item')).toEqual([['0']]);
    await side.end();
  });

  it('hazard 25: an RST in the middle of a result costs the link nothing of the next one’s', async () => {
    const gateway = await start();
    for (const sql of [
      "SELECT repeat('x', 8000000)",
      'SELECT generate_series(1, 2000000)',
      'COPY (SELECT generate_series(1, 2000000)) TO STDOUT',
    ]) {
      for (const how of ['rst', 'fin'] as const) {
        const client = await gateway.connect();
        let seen = 0;
        const enough = new Promise<void>((resolve) => {
          client.consume((chunk) => {
            seen += chunk.length;
            if (seen > 8_192) resolve();
          });
        });
        client.send(query(sql));
        await enough;
        client.vanish(how);
        await expectHealthy(gateway);
      }
    }
    expect(gateway.complaints).toEqual([]);
  });
});
