/** Everything at once on shared links: whatever happens, a client reads its own rows or an error. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { sharedCount } from '../support/sharing.ts';
import { nap } from '../support/stage.ts';
import { errorsOf, fieldsOf, type Reply, rowsOf, type WireClient } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  parse,
  query,
  sync,
} from '../support/wire-messages.ts';

const READERS = 10;
const STORM_MS = 6_000;
const SCHEMA = `CREATE TABLE item AS SELECT i AS id, 'body ' || i AS body
    FROM generate_series(1, 1000) AS i;
  ALTER TABLE item ADD PRIMARY KEY (id);
  CREATE TABLE shifting (id int, body text); INSERT INTO shifting SELECT id, body FROM item;
  CREATE VIEW look AS SELECT id, body FROM item;
  CREATE FUNCTION said(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'body ' || $1$$;`;

let gateway: TestGateway;
let side: WireClient;
let isOver = false;
/** SQLSTATEs that the storm at hand may lead to. */
let excuses: readonly string[] = [];
let answered = 0;
/** Errors that nothing excuses, and rows that are not those that were asked for. */
const faults: string[] = [];

beforeEach(async () => {
  const sharing = { links: 8, shareLinks: true, hedgeMs: 200 };
  // Every statement must reach a server, since it is the links that are stormed.
  gateway = await TestGateway.start({ ...sharing, caching: { disabled: true } });
  side = await gateway.connectDirect();
  await side.rows(SCHEMA);
  isOver = false;
  answered = 0;
  excuses = [];
  faults.length = 0;
});

afterEach(async () => {
  side.vanish();
  await gateway.stop();
});

/** Judges an answer that should be one row: the number and its body. */
function judge(replies: readonly Reply[], n: number, asked: string): void {
  const rows = rowsOf(replies);
  const errors = errorsOf(replies);
  for (const { code, body } of replies) {
    const { C: sqlstate = '', M: message, R: routine } = code === 'E' ? fieldsOf(body) : {};
    if (code !== 'E' || excuses.includes(sqlstate)) continue;
    faults.push(`${asked}: ${sqlstate} ${message} (${routine})`);
  }
  const isRight = rows.length === 1 && rows[0]?.[0] === `${n}` && rows[0]?.[1] === `body ${n}`;
  if (isRight || (rows.length === 0 && errors.length > 0)) answered++;
  else faults.push(`${asked} for ${n}: ${JSON.stringify(rows)} ${errors.join()}`);
}

/** Up to ReadyForQuery; null when the connection has ended before. */
async function answerOf(client: WireClient): Promise<Reply[] | null> {
  const replies: Reply[] = [];
  for (;;) {
    const reply = await client.readOrEnd();
    if (reply === null) {
      for (const code of errorsOf(replies))
        if (!excuses.includes(code)) faults.push(`end: ${code}`);
      return null;
    }
    replies.push(reply);
    if (reply.code === 'Z') return replies;
  }
}

const TEXTS = [
  'SELECT id, body FROM item WHERE id = $1',
  'SELECT id, body FROM shifting WHERE id = $1',
  'SELECT id, body FROM look WHERE id = $1',
  'SELECT $1::int AS id, said($1) AS body',
];

/** A client that reads its own numbers in every form, until the storm is over. */
async function reader(number: number): Promise<void> {
  let client: WireClient | null = null;
  for (let round = 0; !isOver; round++) {
    if (client === null) {
      client = await gateway.connect();
      const names = TEXTS.map((text, at) => parse(`s${at}`, text, [23]));
      client.send(...names, sync());
      if ((await answerOf(client)) === null) client = null;
      if (client === null) continue;
    }
    const n = number * 90 + (round % 90) + 1;
    const at = round % TEXTS.length;
    const text = TEXTS[at] as string;
    const form = Math.floor(round / TEXTS.length) % 3;
    if (form === 0) client.send(query(text.replaceAll('$1', `${n}`)));
    else {
      const head = form === 1 ? [parse('', text, [23])] : [];
      const name = form === 1 ? '' : `s${at}`;
      client.send(
        Buffer.concat([
          ...head,
          bind('', name, [`${n}`]),
          describeMessage('P', ''),
          execute(),
          sync(),
        ]),
      );
    }
    const replies = await answerOf(client);
    if (replies === null) client = null;
    else {
      judge(replies, n, `${form}/${text}`);
      if (form === 2 && errorsOf(replies).includes('0A000')) {
        client.send(closeMessage('S', `s${at}`), parse(`s${at}`, text, [23]), sync());
        if ((await answerOf(client)) === null) client = null;
      }
    }
  }
  client?.vanish();
}

/** A client that does something, again and again. */
async function again(pauseMs: number, run: () => Promise<unknown>): Promise<void> {
  while (!isOver) {
    await run();
    await nap(pauseMs);
  }
}

async function withClient(run: (client: WireClient) => Promise<unknown>): Promise<void> {
  const client = await gateway.connect();
  try {
    await run(client);
  } catch {
    // It was struck by what the others do.
  }
  client.vanish();
}

async function shared(): Promise<number> {
  const asking = await gateway.connect();
  const count = await sharedCount(asking);
  asking.vanish();
  return count;
}

/** Readers amid such troublemakers; answers how much of it went over shared links. */
async function storm(...troubles: readonly (() => Promise<unknown>)[]): Promise<number> {
  const reading = Array.from({ length: READERS }, (_, number) => reader(number));
  for (let tries = 0; tries < 300 && (await shared()) < 200; tries++) await nap(100);
  const before = await shared();
  const making = troubles.map((trouble, at) => again(5 + at * 3, trouble));
  await nap(STORM_MS);
  isOver = true;
  await Promise.all([...reading, ...making]);
  const after = await shared();
  return after - before;
}

const kill = async (): Promise<void> => {
  await side.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND random() < 0.5`);
  await nap(200);
};

/** It cancels at random moments, also when nothing of it runs: no one else may notice. */
const cancel = (): Promise<void> =>
  withClient(async (client) => {
    for (let n = 0; n < 10; n++) {
      client.send(query('SELECT count(*) FROM item AS a, item AS b WHERE a.id <= 200'));
      if (n % 3 === 0) await nap(1);
      const sent = client.cancel();
      await client.readReady();
      await sent;
    }
  });

const change = async (): Promise<void> => {
  const work = async (client: WireClient): Promise<void> => {
    await client.rows('ALTER TABLE shifting ADD COLUMN more int DEFAULT 1');
    await nap(30);
    await client.rows('ALTER TABLE shifting DROP COLUMN more');
    await client.rows(
      'ALTER TABLE shifting ALTER body TYPE varchar; ALTER TABLE shifting ALTER body TYPE text',
    );
    await client.rows(`CREATE OR REPLACE FUNCTION said(int) RETURNS text LANGUAGE plpgsql VOLATILE AS
      $$BEGIN PERFORM set_config('app.tenant', 'x', false); RETURN 'body ' || $1; END$$`);
    await nap(30);
    await client.rows(`CREATE OR REPLACE FUNCTION said(int) RETURNS text LANGUAGE sql IMMUTABLE AS
      $$SELECT 'body ' || $1$$`);
  };
  await withClient(work);
  // Until the catalogue has been read anew, nothing is shared.
  await nap(1_000);
};

/** Settings, transactions, channels and locks of one client, which another never meets. */
const dwell = (): Promise<void> =>
  withClient(async (client) => {
    await client.rows(`SET timezone = 'Asia/Tokyo'; SET search_path = nowhere, public`);
    const [row] = await client.rows(
      "SELECT id, '2026-01-01 00:00:00Z'::timestamptz::text FROM item WHERE id = 7",
    );
    if (row?.[1] !== '2026-01-01 09:00:00+09') faults.push(`its time zone: ${row?.[1]}`);
    client.send(query('BEGIN'), query('UPDATE item SET body = body WHERE id = 7'));
    client.send(query('SELECT id, body FROM item WHERE id = 7'), query('ROLLBACK'));
    const replies = await client.readReady(4);
    if (rowsOf(replies)[0]?.[0] !== '7') faults.push('not its own transaction');
    await client.rows('LISTEN storm; NOTIFY storm');
    await client.rows('SELECT pg_advisory_lock(5)');
    await client.rows('SELECT id, body FROM item WHERE id = 8');
  });

/** It leaves in the middle of whatever it does. */
const leave = async (): Promise<void> => {
  const client = await gateway.connect();
  client.send(parse('', TEXTS[0] as string, [23]), bind('', '', ['5']), execute(), sync());
  if (answered % 3 === 0) client.send(query('BEGIN'));
  if (answered % 2 === 0) await nap(answered % 5);
  client.vanish(answered % 2 === 0 ? 'fin' : 'rst');
};

/** Nobody else's setting, time zone or channel is ever seen. */
const observe = (): Promise<void> =>
  withClient(async (client) => {
    for (let n = 0; n < 10; n++) {
      const [row] = await client.rows("SELECT '2026-01-01 00:00:00Z'::timestamptz::text");
      const [tenant] = await client.rows("SELECT current_setting('app.tenant', true)");
      if (row?.[0]?.endsWith('+09') === true) faults.push('a stranger’s time zone');
      if ((tenant?.[0] ?? '') !== '') faults.push('a stranger’s setting');
    }
  });

describe('readers on shared links get their own rows', () => {
  it('and no error while others cancel, leave, change settings and hold transactions', async () => {
    expect(await storm(cancel, cancel, leave, dwell, observe)).toBeGreaterThan(50);
    expect([...new Set(faults)]).toEqual([]);
  }, 60_000);

  it('while tables and functions change under them', async () => {
    // PostgreSQL itself finds out a function's language first and reads its text later, which may be
    // that of another language by then. One sees it where connections are young: on 15 mostly.
    excuses = ['0A000', '42601'];
    expect(await storm(change, observe, leave)).toBeGreaterThan(30);
    expect([...new Set(faults)]).toEqual([]);
  }, 60_000);

  it('while the server ends connections', async () => {
    excuses = ['57P01', '08006'];
    expect(await storm(kill, leave, cancel)).toBeGreaterThan(10);
    expect([...new Set(faults)]).toEqual([]);
  }, 60_000);
});
