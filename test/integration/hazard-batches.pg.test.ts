/** Batches of prepared statements: the order of answers, eviction in the middle, changed tables. */
import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { stageForEach, times } from '../support/stage.ts';
import { partStep, record, type Script, step } from '../support/transcript.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

/** What a link holds of statements prepared by protocol. */
const HELD = 'SELECT count(*)::int FROM pg_prepared_statements WHERE NOT from_sql';
/** `LINK_STATEMENTS_MAX` of the gateway. */
const LINK_STATEMENTS_MAX = 200;

describe('batches of prepared statements', () => {
  const stage = stageForEach();

  const known = (at: number): string => `SELECT 'known ${at}' AS k${at}`;
  const unknown = (at: number): string => `SELECT 'new ${at}' AS n${at}`;
  const use = (name: string): Buffer[] => [bind('', name), execute()];
  const batches: Script = {
    name: 'Parses that the gateway answers by itself, among others',
    steps: [
      step(parse('a', known(0)), parse('b', known(1)), parse('c', known(2)), sync()),
      step(
        parse('d', known(3)),
        describeMessage('S', 'd'),
        parse('e', unknown(0)),
        describeMessage('S', 'e'),
        parse('f', known(4)),
        use('e'),
        use('f'),
        use('d'),
        parse('g', known(5)),
        sync(),
      ),
      step(parse('h', unknown(1)), parse('i', known(6)), closeMessage('S', 'h'), use('i'), sync()),
      // What stands behind an error is not answered, whoever would have answered it.
      step(unnamed('SELECT 1/0'), parse('j', known(7)), closeMessage('S', 'a'), sync(), use('a')),
      step(sync(), use('j'), sync(), parse('j', known(7)), use('j'), sync()),
      step(parse('k', 'SELEC'), parse('l', known(8)), sync(), parse('l', known(8)), sync()),
      step(parse('m', known(9)), unnamed('SELECT 1/0'), parse('n', known(9)), sync()),
      step(use('m'), sync(), use('n'), sync()),
      partStep(2, parse('o', known(10)), parse('p', unknown(2)), flush()),
      partStep(
        3,
        closeMessage('S', 'o'),
        closeMessage('S', 'none'),
        parse('o', known(11)),
        flush(),
      ),
      step(use('o'), use('p'), sync()),
      step(unnamed('ROLLBACK'), parse('q', known(12)), unnamed('ROLLBACK'), use('q'), sync()),
    ],
  };

  // Fails when Link.#answerBefore does nothing.
  it.each(['message', 'step', 'pieces'] as const)(
    'hazard 10: answers of the gateway and of the server come in the order of the messages (%s)',
    async (writing) => {
      const gateway = await stage.start();
      const side = await gateway.connectDirect();
      const wanted = await record(side, batches, writing);
      await side.end();
      const other = await gateway.connect();
      other.send(...times(13, (at) => parse(`s${at}`, known(at))), sync());
      await other.readReady();
      const client = await gateway.connect();
      expect(await record(client, batches, writing)).toEqual(wanted);
      await client.end();
    },
  );

  // Fails when LinkStatements.add closes what is above the limit at once, and when
  // Link.closeExcess closes nothing.
  it('hazard 11: statements above the limit are evicted between clients, never in a batch', async () => {
    const gateway = await stage.start();
    const clients = [await gateway.connect(), await gateway.connect()] as const;
    const count = LINK_STATEMENTS_MAX + 60;
    for (const [who, client] of clients.entries()) {
      client.send(
        ...times(count, (at) => parse(`s${at}`, `SELECT '${who}.${at}', $1::text`)),
        ...times(count, (at) => [bind('', `s${at}`, ['x']), execute()]).flat(),
        sync(),
      );
      expect(rowsOf(await client.readReady())).toEqual(times(count, (at) => [`${who}.${at}`, 'x']));
    }
    for (let round = 0; round < 3; round++) {
      for (const [who, client] of clients.entries()) {
        const some = times(count, (at) => (at * 7 + round) % count);
        client.send(...some.flatMap((at) => [bind('', `s${at}`, ['y']), execute()]), sync());
        expect(rowsOf(await client.readReady())).toEqual(some.map((at) => [`${who}.${at}`, 'y']));
      }
    }
    const last = await gateway.connect();
    const [held] = await last.rows(HELD);
    expect(Number(held?.[0])).toBeLessThanOrEqual(LINK_STATEMENTS_MAX);
  });

  // Fails when Tenure.settle closes nothing.
  it('statements of a client with a temporary table are closed while it keeps the link', async () => {
    const gateway = await stage.start();
    const client = await gateway.connect();
    await client.rows('CREATE TEMP TABLE t (n int)');
    for (let round = 0; round < 3; round++) {
      const texts = times(LINK_STATEMENTS_MAX, () => [
        parse('s', 'SELECT n FROM t'),
        ...use('s'),
        closeMessage('S', 's'),
      ]);
      client.send(...texts.flat(), sync());
      expect(errorsOf(await client.readReady())).toEqual([]);
    }
    await client.rows('SELECT 1');
    const [held] = await client.rows(HELD);
    expect(Number(held?.[0])).toBeLessThanOrEqual(LINK_STATEMENTS_MAX);
  });

  it('a portal outlives any number of statements in its transaction', async () => {
    const gateway = await stage.start();
    const client = await gateway.connect();
    await client.rows('BEGIN');
    client.send(
      parse('p', 'SELECT generate_series(1, 5)'),
      bind('p', 'p'),
      execute('p', 2),
      sync(),
    );
    expect(rowsOf(await client.readReady())).toEqual([['1'], ['2']]);
    for (let round = 0; round < 3; round++) {
      const names = times(150, (at) => `${round}.${at}`);
      client.send(
        ...names.flatMap((name) => [parse(name, `SELECT '${name}'`), ...use(name)]),
        sync(),
      );
      expect(rowsOf(await client.readReady()).flat()).toEqual(names);
    }
    client.send(execute('p', 2), sync());
    const replies = await client.readReady();
    expect(errorsOf(replies)).toEqual([]);
    expect(rowsOf(replies)).toEqual([['3'], ['4']]);
    await client.rows('COMMIT');
  });

  async function withTable(): Promise<{ gateway: TestGateway; side: WireClient }> {
    // It is changed past the gateway, which a cached answer outlives for seconds.
    const gateway = await stage.start({ links: 2, caching: { disabled: true } });
    const side = await gateway.connectDirect();
    await side.rows(`CREATE TABLE item AS SELECT 1 AS id, 'one' AS body`);
    return { gateway, side };
  }

  // Fails when Link.#onError does not discard the statements at this error.
  it('hazard 13: a client that prepares again after its table has changed is served by every link', async () => {
    const { gateway, side } = await withTable();
    const client = await gateway.connect();
    const holder = await gateway.connect();
    const prepare = (name: string): Buffer[] => [
      parse(name, 'SELECT * FROM item'),
      bind('', name),
      execute(),
      sync(),
    ];
    client.send(...prepare('s'));
    expect(rowsOf(await client.readReady())).toEqual([['1', 'one']]);
    // Until the catalogue is read, links are reset behind whatever names a table.
    await expect
      .poll(async () => {
        client.send(bind('', 's'), execute(), sync());
        await client.readReady();
        return holder.rows("SELECT 1 FROM pg_prepared_statements WHERE statement LIKE '%item'");
      })
      .toHaveLength(1);
    // On both links, one after the other.
    await holder.rows('BEGIN');
    client.send(bind('', 's'), execute(), sync());
    expect(rowsOf(await client.readReady())).toEqual([['1', 'one']]);
    await holder.rows('COMMIT');
    await side.rows('ALTER TABLE item ADD COLUMN more int DEFAULT 7');
    let refusals = 0;
    for (let round = 0; round < 6; round++) {
      if (round % 2 === 1) await holder.rows('BEGIN');
      // As drivers do: closed, and prepared under another name.
      for (let tries = 0; ; tries++) {
        const name = `s${round}.${tries}`;
        client.send(...prepare(name));
        const replies = await client.readReady();
        if (errorsOf(replies).length === 0) {
          expect(rowsOf(replies)).toEqual([['1', 'one', '7']]);
          break;
        }
        expect(errorsOf(replies)).toEqual(['0A000']);
        refusals++;
        expect(tries).toBe(0);
        client.send(closeMessage('S', name), sync());
        await client.readReady();
      }
      if (round % 2 === 1) await holder.rows('COMMIT');
    }
    // Once for each link, and never again.
    expect(refusals).toBeLessThanOrEqual(2);
    await side.end();
  });

  // Fails when rewritten names or columns are kept from before: Parse answered by the gateway for
  // a statement that was discarded.
  it('hazard 13: a statement that names its columns goes on while the table changes', async () => {
    const { gateway, side } = await withTable();
    const client = await gateway.connect();
    client.send(parse('s', 'SELECT id, body FROM item'), sync());
    expect(codesOf(await client.readReady())).toBe('1Z');
    for (let round = 0; round < 8; round++) {
      const changer = round % 2 === 0 ? side : await gateway.connect();
      await changer.rows(`ALTER TABLE item ADD COLUMN c${round} int`);
      client.send(query('BEGIN'), bind('', 's'), execute(), sync(), query('COMMIT'));
      expect(rowsOf(await client.readReady(3))).toEqual([['1', 'one']]);
    }
    await side.end();
  });
});
