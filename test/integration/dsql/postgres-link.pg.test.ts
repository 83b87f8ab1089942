import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openLink, type PostgresLink } from '../../../src/dsql/server/postgres-link.ts';
import { ServerError } from '../../../src/dsql/server/server-link.ts';
import { KeptReplies, LINK_OPTIONS, linkTo, originOf } from '../../support/dsql-below.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { createDatabase, superuserUrl, type TestDatabase } from '../../support/pg.ts';
import * as wire from '../../support/wire-messages.ts';

let database: TestDatabase;
let proxy: FaultProxy;
const links: PostgresLink[] = [];

beforeAll(async () => {
  database = await createDatabase();
  const { hostname, port } = new URL(superuserUrl());
  proxy = await FaultProxy.start({ host: hostname, port: Number(port) });
});

afterEach(async () => {
  for (const link of links.splice(0)) link.close();
  proxy.onPair = () => {};
});

afterAll(async () => {
  await proxy.stop();
  await database.drop();
});

async function open(): Promise<PostgresLink> {
  const link = await linkTo(database.url);
  links.push(link);
  return link;
}

/** A link through the proxy, and the reasons for doubt it gave. */
async function openThroughProxy(): Promise<{ link: PostgresLink; doubts: string[] }> {
  const origin = await originOf(database.url, proxy.at);
  const doubts: string[] = [];
  const link = await openLink(
    origin,
    { role: origin.user, password: origin.password },
    { ...LINK_OPTIONS, onDoubt: (reason) => doubts.push(reason) },
  );
  links.push(link);
  return { link, doubts };
}

describe('a link to PostgreSQL', () => {
  it('logs in as the role it is for, and knows its process and settings', async () => {
    const link = await open();
    const { rows } = await link.query('SELECT current_user, pg_backend_pid()');
    expect(rows).toEqual([[link.role, String(link.processId)]]);
    expect(link.parameters.get('client_encoding')).toBe('UTF8');
    expect(link).toMatchObject({ isOpen: true, status: 'I', isReusable: true });
  });

  it('takes parameters as text, NULL and other alphabets among them', async () => {
    const link = await open();
    const { rows, tag } = await link.query('SELECT $1::text, $2::int + 1, $3::text', [
      'Zürich 日本',
      '41',
      null,
    ]);
    expect(rows).toEqual([['Zürich 日本', '42', null]]);
    expect(tag).toBe('SELECT 1');
  });

  it('gives the messages of an answer but ReadyForQuery, and the tags', async () => {
    const link = await open();
    const sink = new KeptReplies();
    const asked = wire.query("SELECT 1; SET TimeZone = 'Asia/Tokyo'; BEGIN");
    const { tags, status } = await link.exchange(asked, sink);
    // When a setting is told differs between versions.
    expect([...sink.codes].sort().join('')).toBe('CCCDST');
    expect(tags).toEqual(['SELECT 1', 'SET', 'BEGIN']);
    expect(status).toBe('T');
    expect(link.isReusable).toBe(false);
    expect(link.parameters.get('TimeZone')).toBe('Asia/Tokyo');
  });

  it('throws the error of a statement as PostgreSQL sent it, and goes on', async () => {
    const link = await open();
    const sink = new KeptReplies();
    const failure = await link.exchange(wire.query('SELECT 1; SELECT 1/0'), sink).catch((e) => e);
    expect(failure).toBeInstanceOf(ServerError);
    expect(failure.fields).toMatchObject({ sqlstate: '22012', message: 'division by zero' });
    expect(failure.bytes[0]).toBe(0x45);
    expect(failure.bytes.readUInt32BE(1)).toBe(failure.bytes.length - 1);
    expect(sink.codes).not.toContain('E');
    expect((await link.query('SELECT 1')).rows).toEqual([['1']]);
  });

  it('says that the transaction has failed after an error within it', async () => {
    const link = await open();
    await link.query('BEGIN');
    await link.query('SELEC').catch(() => {});
    expect(link.status).toBe('E');
  });

  it('streams a result that is larger than its buffers, and stops while it is paused', async () => {
    const link = await open();
    const sink = new KeptReplies();
    await link.query('SELECT 1');
    const size = 30_000;
    const asked = wire.query(`SELECT repeat('x', 1000) FROM generate_series(1, ${size})`);
    link.pause(true);
    let isDone = false;
    const done = link.exchange(asked, sink).finally(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isDone).toBe(false);
    expect(sink.bytes).toBe(0);
    link.pause(false);
    expect((await done).tags).toEqual([`SELECT ${size}`]);
    expect(sink.codes).toBe(`T${'D'.repeat(size)}C`);
    expect(Math.max(...sink.chunks.map(({ length }) => length))).toBeLessThan(1_048_576);
  });

  it('sends the rows of a COPY where the sink asks for them, in both protocols', async () => {
    const link = await open();
    await link.query('CREATE TEMP TABLE copied (n int)');
    const rows = Buffer.concat([wire.copyData('1\n2\n'), wire.copyDone()]);
    const copy = 'COPY copied FROM STDIN';
    const sinkOf = (more: Buffer) =>
      Object.assign(new KeptReplies(), { copyIn: () => void link.send(more) });
    expect(await link.exchange(wire.query(copy), sinkOf(rows))).toEqual({
      tags: ['COPY 2'],
      status: 'I',
    });
    const extended = Buffer.concat([...wire.unnamed(copy), wire.sync()]);
    const withSync = Buffer.concat([rows, wire.sync()]);
    expect((await link.exchange(extended, sinkOf(withSync))).tags).toEqual(['COPY 2']);
    expect((await link.query('SELECT count(*) FROM copied')).rows).toEqual([['4']]);
  });

  it('lets a COPY fail that no sink has rows for, and goes on', async () => {
    const link = await open();
    await link.query('CREATE TEMP TABLE uncopied (n int)');
    const copy = 'COPY uncopied FROM STDIN';
    const extended = Buffer.concat([...wire.unnamed(copy), wire.sync()]);
    for (const asked of [wire.query(copy), extended]) {
      await expect(link.exchange(asked, new KeptReplies())).rejects.toMatchObject({
        fields: { sqlstate: '57014' },
      });
      expect((await link.query('SELECT 1')).rows).toEqual([['1']]);
    }
  });

  it('cancels what the server does, and can be used again', async () => {
    const link = await open();
    const asleep = link.query('SELECT pg_sleep(60)').catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await link.cancel();
    expect((await asleep).fields.sqlstate).toBe('57014');
    expect(link.isReusable).toBe(true);
    expect((await link.query('SELECT 1')).rows).toEqual([['1']]);
  });

  it('takes one exchange at a time', async () => {
    const link = await open();
    const first = link.query('SELECT 1');
    await expect(link.query('SELECT 2')).rejects.toThrow('one exchange at a time');
    await first;
  });

  it('closes politely, and its server process ends', async () => {
    const link = await open();
    const other = await open();
    link.close();
    await link.ended;
    const gone = async () =>
      (await other.query('SELECT FROM pg_stat_activity WHERE pid = $1', [String(link.processId)]))
        .rows.length;
    await expect.poll(gone).toBe(0);
    await expect(link.query('SELECT 1')).rejects.toMatchObject({ code: 'MR_ORIGIN_LOST' });
  });
});

describe('a link to PostgreSQL that breaks', () => {
  it('has the words of a server that ends it, within an exchange and without', async () => {
    const { link, doubts } = await openThroughProxy();
    const other = await open();
    const asleep = link.query('SELECT pg_sleep(60)').catch((error) => error);
    await other.query('SELECT pg_terminate_backend($1)', [String(link.processId)]);
    const words = '57P01: terminating connection due to administrator command';
    expect(await asleep).toMatchObject({ code: 'MR_ORIGIN_LOST', detail: words });
    expect(doubts).toEqual([words]);
    const { link: idle, doubts: idleDoubts } = await openThroughProxy();
    await other.query('SELECT pg_terminate_backend($1)', [String(idle.processId)]);
    await idle.ended;
    expect(idleDoubts).toEqual([words]);
    expect(idle.isOpen).toBe(false);
  });

  it.each(['fin', 'rst', 'half'] as const)(
    'is lost when its answer breaks off at any byte (%s)',
    async (cut) => {
      const asked = wire.query("SELECT 'abc', 1 UNION ALL SELECT 'def', 2");
      const { link: whole } = await openThroughProxy();
      const before = proxy.pairs.at(-1)?.passed.down ?? 0;
      await whole.exchange(asked, new KeptReplies());
      const size = (proxy.pairs.at(-1)?.passed.down ?? 0) - before;
      expect(size).toBeGreaterThan(50);
      for (let bytes = 0; bytes < size; bytes += cut === 'fin' ? 1 : 5) {
        const { link, doubts } = await openThroughProxy();
        const pair = proxy.pairs.at(-1);
        if (pair === undefined) throw new Error('not through the proxy');
        Object.assign(pair.down, { bytesLeft: bytes, cut });
        const sink = new KeptReplies();
        const outcome = await link.exchange(asked, sink).then(
          () => 'answered',
          (error) => error.code ?? 'relayed',
        );
        expect(outcome, `${bytes} bytes`).toBe('MR_ORIGIN_LOST');
        expect(sink.codes.length).toBeLessThan(5);
        await link.ended;
        expect(doubts).toHaveLength(1);
      }
    },
  );

  it('is lost when something else than PostgreSQL answers', async () => {
    const { link } = await openThroughProxy();
    Object.assign(proxy.pairs.at(-1)?.down ?? {}, { bytesLeft: 0, cut: 'garbage' });
    await expect(link.query('SELECT 1')).rejects.toMatchObject({ code: 'MR_ORIGIN_LOST' });
  });

  it('leaves nothing running when it is closed within an exchange', async () => {
    const link = await open();
    const other = await open();
    const asleep = link.query('SELECT pg_sleep(600)').catch((error) => error);
    const running = async () => {
      const sql = "SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
      return (await other.query(sql, [String(link.processId)])).rows.length;
    };
    await expect.poll(running).toBe(1);
    link.close();
    expect(await asleep).toMatchObject({ code: 'MR_ORIGIN_LOST' });
    await expect.poll(running).toBe(0);
  });

  it('gives no doubt when it is closed here, even within an exchange', async () => {
    const { link, doubts } = await openThroughProxy();
    const asleep = link.query('SELECT pg_sleep(60)').catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    link.close();
    expect(await asleep).toMatchObject({ code: 'MR_ORIGIN_LOST' });
    await link.ended;
    expect(doubts).toEqual([]);
  });

  it('doubts a server that refuses to write', async () => {
    const { link, doubts } = await openThroughProxy();
    await link.query('BEGIN READ ONLY');
    await link.query('CREATE TABLE never ()').catch(() => {});
    expect(doubts).toEqual(['cannot execute CREATE TABLE in a read-only transaction']);
    expect(link.takeReadOnly()).toBe(true);
    expect(link.takeReadOnly()).toBe(false);
  });
});
