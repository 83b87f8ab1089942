/**
 * A program that does to a gateway what its other clients must not feel: it holds locks that short
 * reads wait for, runs reads that are short but for once, and does not read large results. It works
 * until SIGTERM, then prints what it has done, as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient, type Target } from '../clients/raw-client.ts';
import { BLOB_BYTES, PAGES } from '../ways/tables.ts';
import { coldSql, type Done } from './disturbance.ts';

const LOCK_MS = 200;
const UNLOCKED_MS = 50;
const STALL_MS = 300;
/** So many short results make a shape of statement one that may share; then comes the other one. */
const SHORT_RESULTS = 12;
const LOCK_READERS = 3;
/** A single one, which pauses: what is measured is not the lack of processors. */
const COLD_READERS = 1;
const COLD_PAUSE_MS = 100;
const STALLERS = 2;
const PAUSE_MS = 2;
/** A read that took so long has waited for the lock. */
const WAITED_MS = LOCK_MS / 4;

const done: Done = { locks: 0, lockWaits: 0, coldMs: [], stalls: 0 };
let isOver = false;
let shapeCount = 0;

/** A name that makes a new shape of any statement, so that nobody knows what is to come. */
function freshName(): string {
  return `v${++shapeCount}`;
}

async function timed(client: RawClient, sql: string): Promise<number> {
  const startMs = performance.now();
  await client.query(sql);
  return performance.now() - startMs;
}

/** Transactions with ACCESS EXCLUSIVE locks, one after the other. */
async function lock(client: RawClient): Promise<void> {
  while (!isOver) {
    await client.query('BEGIN');
    await client.query('LOCK TABLE bench_locked IN ACCESS EXCLUSIVE MODE');
    await sleep(LOCK_MS);
    await client.query('COMMIT');
    done.locks++;
    await sleep(UNLOCKED_MS);
  }
}

async function readLocked(client: RawClient): Promise<void> {
  for (let id = 1; !isOver; id = (id % 1000) + 1) {
    const tookMs = await timed(client, `SELECT value FROM bench_locked WHERE id = ${id}`);
    if (tookMs >= WAITED_MS) done.lockWaits++;
    await sleep(PAUSE_MS);
  }
}

async function readCold(client: RawClient, width: number): Promise<void> {
  while (!isOver) {
    const name = freshName();
    for (let count = 0; count < SHORT_RESULTS; count++) await client.query(coldSql(name, 10));
    done.coldMs.push(await timed(client, coldSql(name, width)));
    await sleep(COLD_PAUSE_MS);
  }
}

async function stall(client: RawClient): Promise<void> {
  while (!isOver) {
    const name = freshName();
    const sql = (id: number): string => `SELECT body AS ${name} FROM bench_blobs WHERE id = ${id}`;
    for (let count = 0; count < SHORT_RESULTS; count++) {
      await client.query(sql((count % PAGES) + 1));
    }
    const { socket } = client;
    let received = 0;
    const onData = (chunk: Buffer): void => {
      const isFirst = received === 0;
      received += chunk.length;
      if (!isFirst) return;
      socket.pause();
      void sleep(STALL_MS).then(() => socket.resume());
    };
    socket.on('data', onData);
    await client.query(sql(0));
    socket.off('data', onData);
    if (received < BLOB_BYTES) throw new Error('a large result has not come');
    done.stalls++;
  }
}

async function main(): Promise<void> {
  const [port, database, user, width] = process.argv.slice(2);
  const target: Target = {
    address: { port: Number(port), database: database as string },
    login: { user: user as string, password: process.env['PGPASSWORD'] ?? '' },
    isTls: false,
  };
  const times = async (
    count: number,
    work: (client: RawClient) => Promise<void>,
  ): Promise<readonly Promise<void>[]> => {
    const works: Promise<void>[] = [];
    for (let at = 0; at < count; at++) works.push(work(await RawClient.connect(target)));
    return works;
  };
  process.once('SIGTERM', () => {
    isOver = true;
  });
  const works = [
    ...(await times(1, lock)),
    ...(await times(LOCK_READERS, readLocked)),
    ...(await times(COLD_READERS, (client) => readCold(client, Number(width)))),
    ...(await times(STALLERS, stall)),
  ];
  process.stdout.write('ready\n');
  await Promise.all(works);
  process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(0));
}

await main();
