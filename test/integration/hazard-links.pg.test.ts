/** What has gone wrong in other poolers when one link serves several clients, one test a hazard. */
import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { nap, stageForEach, times } from '../support/stage.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
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
  const stage = stageForEach();

  // Fails when Session.onRefused sends the error and reads on instead of ending the session.
  it('hazard 1: after a wait that timed out, no client gets the rows of another', async () => {
    const gateway = await stage.start({ timeouts: { waitTimeoutMs: 100 } });
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
            // What was sent behind the refused message is neither run nor answered.
            if (reply !== null) expect(await client.readToEnd()).toEqual([]);
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

  // Fails when Link.#onReady says at every ReadyForQuery that it is quiet, and isIdle believes it.
  it('hazard 2: a link is kept until the last Sync of a write is answered', async () => {
    const gateway = await stage.start();
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

  // Fails when Session.#settle does not look at isUnsynced.
  it('hazard 2: a unit that waits for its Sync holds the link, and others wait in order', async () => {
    const gateway = await stage.start();
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
    // Also when a cancel has ended the statement, and nothing is owed until the Sync.
    holder.send(...unnamed('SELECT pg_sleep(30)'), flush());
    const side = await gateway.connectDirect();
    const asleep = `SELECT 1 FROM pg_stat_activity
      WHERE wait_event = 'PgSleep' AND datname = current_database()`;
    await expect.poll(() => side.rows(asleep)).toEqual([['1']]);
    await side.end();
    await holder.cancel();
    while ((await holder.read()).code !== 'E');
    const waiting = (others[0] as WireClient).rows('SELECT 6');
    await expect(Promise.race([waiting, nap(100)])).resolves.toBe(undefined);
    holder.send(sync());
    expect(codesOf(await holder.readReady())).toBe('Z');
    expect(await waiting).toEqual([['6']]);
  });

  // Fails when Framer.feed takes the first byte of a chunk for the beginning of a message.
  it('hazard 3: values full of message letters survive any split of the bytes', async () => {
    const { gateway, proxy } = await stage.startBehindProxy();
    const client = await gateway.connect();
    for (const letter of ['Z', 'E', 'C', 'K', '\0x']) {
      const value = letter === '\0x' ? "repeat(E'\\x05', 6000)" : `repeat('${letter}', 6000)`;
      for (const pair of proxy.open) pair.down.pieces = [1, 2, 3, 4, 5, 6, 7, 8, 9];
      const [row] = await client.rows(`SELECT ${value}`, 60_000);
      expect(row?.[0]?.length).toBe(6_000);
      for (const pair of proxy.open) pair.down.pieces = [65_521, 13];
      const [large] = await client.rows(
        `SELECT repeat('${letter === '\0x' ? 'S' : letter}', 8000000)`,
        60_000,
      );
      expect(large?.[0]?.length).toBe(8_000_000);
    }
    await client.end();
  }, 120_000);

  // Fails when Session.#settle and Links.checkIn do not wait for cancelsPending.
  it('hazard 4: a cancel never hits the next user of the link', async () => {
    const gateway = await stage.start();
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
    // The cancel aims at the end of the statement, which the load of the machine moves: it comes later
    // after one that was early, and earlier after one that was late.
    let delayMs = 0;
    for (let round = 0; round < 120; round++) {
      canceller.send(query(`SELECT 'own', pg_sleep(0.00${round % 6})`));
      await nap(delayMs);
      const cancel = canceller.cancel();
      const replies = await canceller.readReady();
      await cancel;
      const outcome = errorsOf(replies).join() || 'answered';
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      delayMs = outcome === 'answered' ? delayMs / 2 : delayMs * 1.5 + 1;
    }
    isDone = true;
    await bystander;
    expect([...outcomes.keys()].sort()).toEqual(['57014', 'answered']);
    expect(innocentRounds).toBeGreaterThan(20);
    await expectHealthy(gateway);
  }, 40_000);

  // Fails when Database.cancel does nothing for a session that waits for a link.
  it('hazard 4: a cancel reaches a statement that waits, runs, or neither', async () => {
    const gateway = await stage.start();
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

  // Fails when Tenure.abandon checks the link in whatever is unfinished, and Links.tick waits for it.
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
    const gateway = await stage.start();
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

  // Fails when Links.checkIn takes a link whose ledger is not empty for clean.
  it('hazard 25: an RST in the middle of a result costs the link nothing of the next one’s', async () => {
    const gateway = await stage.start();
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
