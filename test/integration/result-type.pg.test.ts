/** What a statement returns stays what it was when its client prepared it, on whatever link it runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { errorsOf, fieldsOf, rowsOf, type WireClient } from '../support/wire.ts';
import { bind, describeMessage, execute, parse } from '../support/wire-messages.ts';

const STAR = 'SELECT * FROM t';

let gateway: TestGateway;
let side: WireClient;
const clients: WireClient[] = [];

beforeEach(async () => {
  // Tables are changed past the gateway, which a cached answer outlives for seconds.
  gateway = await TestGateway.start({ links: 2, caching: { disabled: true } });
  side = await gateway.connectDirect();
  await side.rows('CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.vanish();
  await side.end();
  await gateway.stop();
});

async function connect(): Promise<WireClient> {
  const client = await gateway.connect();
  clients.push(client);
  return client;
}

const run = (client: WireClient, name: string) => client.unit(bind('', name), execute());

/** While others hold the first link, a client's next unit runs on the second one. */
async function onTheOtherLink<T>(work: () => Promise<T>): Promise<T> {
  const holder = await connect();
  await holder.rows('BEGIN');
  const answer = await work();
  await holder.rows('ROLLBACK');
  return answer;
}

describe('a statement whose table was altered past the gateway', () => {
  it.each(['s', ''])(
    'is refused on a link that never had it, under the name “%s”',
    async (name) => {
      const a = await connect();
      await a.unit(parse(name, STAR), describeMessage('S', name));
      await side.rows("ALTER TABLE t ADD b text DEFAULT 'new'");
      await onTheOtherLink(async () => {
        for (let time = 0; time < 2; time++) {
          const refused = (await run(a, name)).find(({ code }) => code === 'E');
          expect(fieldsOf(refused?.body as Buffer)).toMatchObject({
            S: 'ERROR',
            C: '0A000',
            M: 'cached plan must not change result type',
            R: 'RevalidateCachedQuery',
          });
        }
      });
      await side.rows('ALTER TABLE t DROP b');
      expect(rowsOf(await onTheOtherLink(() => run(a, name)))).toEqual([['1']]);
    },
  );

  it('is refused inside a transaction, which has then failed', async () => {
    const a = await connect();
    await a.unit(parse('s', STAR));
    await side.rows('ALTER TABLE t ADD b int');
    await onTheOtherLink(async () => {
      await a.rows('BEGIN');
      const replies = await run(a, 's');
      expect(errorsOf(replies)).toEqual(['0A000']);
      expect(replies.at(-1)?.body.toString()).toBe('E');
      await a.rows('ROLLBACK');
    });
  });

  it('is new to who prepares it afterwards, and old to who did before', async () => {
    const [a, b, c] = [await connect(), await connect(), await connect()];
    await a.unit(parse('s', STAR));
    await run(a, 's');
    await side.rows('ALTER TABLE t ADD b int');
    expect(errorsOf(await run(a, 's'))).toEqual(['0A000']);
    for (const client of [b, c]) {
      await client.unit(parse('s', STAR));
      expect(rowsOf(await run(client, 's'))).toEqual([['1', null]]);
      expect(rowsOf(await onTheOtherLink(() => run(client, 's')))).toEqual([['1', null]]);
    }
    expect(errorsOf(await onTheOtherLink(() => run(a, 's')))).toEqual(['0A000']);
  });

  it('is refused at most once to who prepared it afterwards', async () => {
    const [a, b] = [await connect(), await connect()];
    await a.unit(parse('s', STAR));
    await run(a, 's');
    await side.rows('ALTER TABLE t ADD b int');
    await b.unit(parse('s', STAR));
    await run(b, 's');
    expect(rowsOf(await run(b, 's'))).toEqual([['1', null]]);
    expect(errorsOf(await run(a, 's'))).toEqual(['0A000']);
  });

  it('is refused without having been run', async () => {
    const a = await connect();
    await a.unit(parse('s', 'INSERT INTO t (a) VALUES (2) RETURNING *'));
    await side.rows('ALTER TABLE t ADD b int');
    expect(errorsOf(await onTheOtherLink(() => run(a, 's')))).toEqual(['0A000']);
    expect(await a.rows('SELECT count(*) FROM t')).toEqual([['1']]);
  });

  it('keeps the types of its parameters', async () => {
    const a = await connect();
    await a.unit(parse('s', 'SELECT $1 = a FROM t'), describeMessage('S', 's'));
    await side.rows('ALTER TABLE t ALTER a TYPE text');
    const replies = await onTheOtherLink(() => a.unit(describeMessage('S', 's')));
    // Of an integer and a text there is no comparison; for a text parameter there would be one.
    expect(errorsOf(replies)).toEqual(['42883']);
    await side.rows('ALTER TABLE t ALTER a TYPE bigint USING a::bigint');
    const known = await onTheOtherLink(() => a.unit(describeMessage('S', 's')));
    expect(known[0]?.body.readInt32BE(2)).toBe(23);
  });
});
