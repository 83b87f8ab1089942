/** The query cache of several workers, while workers are stopped, die and begin. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ask, simple, statusOf, warm } from '../../support/cached.ts';
import { directTarget } from '../../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { nap } from '../../support/stage.ts';
import { rowsOf, WireClient } from '../../support/wire.ts';
import { Crew } from './crew.ts';

const READ = simple('SELECT n FROM counter');
const WRITE = simple('UPDATE counter SET n = n + 1');
/** Runs on when it is cancelled, and writes at the very end. */
const STUBBORN = `CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    BEGIN
      PERFORM pg_sleep(60);
    EXCEPTION WHEN query_canceled THEN
      PERFORM pg_sleep(3);
    END;
    UPDATE counter SET n = n + 1;
  END $$`;

let database: TestDatabase;
let direct: WireClient;
let crew: Crew;

beforeAll(async () => {
  database = await createDatabase();
  direct = await WireClient.connect(directTarget(database));
  await direct.rows('CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)');
  await direct.rows(STUBBORN);
});

beforeEach(async () => {
  await direct.rows('UPDATE counter SET n = 0');
  crew = await Crew.start(database, { links: 6 });
});

afterEach(async () => {
  await crew.serve.stop();
});

afterAll(async () => {
  await direct.end();
  await database.drop();
});

async function read(client: WireClient): Promise<number> {
  return Number(rowsOf(await ask(client, READ))[0]?.[0]);
}

async function readDirect(): Promise<number> {
  return Number((await direct.rows('SELECT n FROM counter'))[0]?.[0]);
}

describe('a worker that is stopped', () => {
  it('holds up nobody who writes, and gives nothing old when it goes on', async () => {
    const [writer, reader] = [await crew.connectTo(1), await crew.connectTo(2)];
    await warm(reader, READ);
    const stopped = crew.pidOf(2);
    process.kill(stopped, 'SIGSTOP');
    const beganMs = performance.now();
    let written = 0;
    let longestMs = 0;
    let known: number | null = null;
    while (performance.now() - beganMs < 2_000) {
      const sentMs = performance.now();
      await ask(writer, WRITE);
      written++;
      longestMs = Math.max(longestMs, performance.now() - sentMs);
      if (known === null && performance.now() - beganMs > 1_000) {
        // It lies in the socket of who is stopped.
        known = written;
        reader.send(READ);
      }
    }
    process.kill(stopped, 'SIGCONT');
    expect(Number(rowsOf(await reader.readReady())[0]?.[0])).toBeGreaterThanOrEqual(
      known as number,
    );
    expect(await read(reader)).toBe(written);
    expect(longestMs).toBeLessThan(1_000);
    await warm(reader, READ);
    await ask(writer, WRITE);
    expect(await read(reader)).toBe(written + 1);
  });

  it('in the middle of a write keeps others from believing what they have', async () => {
    const [writer, reader] = [await crew.connectTo(1), await crew.connectTo(2)];
    await warm(reader, READ);
    await ask(writer, simple('BEGIN; UPDATE counter SET n = n + 1'));
    writer.send(simple('COMMIT'));
    process.kill(crew.pidOf(1), 'SIGSTOP');
    for (let look = 0; look < 20; look++) {
      const least = await readDirect();
      expect(await read(reader)).toBeGreaterThanOrEqual(least);
      await nap(50);
    }
    process.kill(crew.pidOf(1), 'SIGCONT');
    await writer.readReady();
    expect(await read(reader)).toBe(1);
    await warm(reader, READ);
  });
});

describe('a worker that is killed', () => {
  it('leaves what it was writing to others, until the server is done with it', async () => {
    const [writer, reader] = [await crew.connectTo(1), await crew.connectTo(2)];
    await warm(reader, READ);
    writer.send(simple('SELECT stubborn()'));
    await nap(300);
    process.kill(crew.pidOf(1), 'SIGKILL');
    await expect.poll(() => crew.count('worker is ready'), { timeout: 10_000 }).toBe(3);
    const late = await crew.connectTo(1);
    for (let real = 0; real < 1; ) {
      real = await readDirect();
      for (const client of [reader, late]) {
        expect(await read(client)).toBeGreaterThanOrEqual(real);
        expect(await statusOf(client)).not.toBe('hit');
      }
    }
    // Once the server's process is gone, answers are kept again, by both.
    for (const client of [reader, late]) {
      await expect
        .poll(async () => [await read(client), await statusOf(client)], { timeout: 10_000 })
        .toEqual([1, 'hit']);
    }
    await ask(late, WRITE);
    expect(await read(reader)).toBe(2);
  });

  it('is followed by one that knows what others are writing', async () => {
    const [writer, other] = [await crew.connectTo(2), await crew.connectTo(2)];
    await ask(writer, simple('BEGIN; UPDATE counter SET n = n + 1'));
    process.kill(crew.pidOf(1), 'SIGKILL');
    await expect.poll(() => crew.count('worker is ready'), { timeout: 10_000 }).toBe(3);
    const late = await crew.connectTo(1);
    const statuses: string[] = [];
    for (let look = 0; look < 30; look++) {
      expect(await read(late)).toBe(0);
      statuses.push(await statusOf(late));
      await nap(20);
    }
    expect(statuses).not.toContain('hit');
    await ask(writer, simple('COMMIT'));
    expect(await read(late)).toBe(1);
    await warm(late, READ);
    await ask(other, WRITE);
    expect(await read(late)).toBe(2);
  });
});

describe('workers that are replaced one by one', () => {
  it('never give what is older than what was written meanwhile', async () => {
    const readies = crew.count('worker is ready');
    crew.serve.program.signal('SIGUSR2');
    let written = 0;
    let hits = 0;
    const isDone = () => crew.count('workers were replaced') > 0;
    const act = async (): Promise<void> => {
      const [writer, reader] = [await crew.connect(), await crew.connect()];
      for (let n = 0; n < 5; n++) {
        await ask(writer, WRITE);
        written++;
        expect(await read(reader)).toBe(written);
        await nap(n);
        expect(await read(reader)).toBe(written);
        if ((await statusOf(reader)) === 'hit') hits++;
      }
      await writer.end();
      await reader.end();
    };
    for (let turn = 0; turn < 500 && !(isDone() && hits > 0); turn++) {
      try {
        await act();
      } catch (error) {
        // A worker that drains says goodbye to clients that are at nothing, or have just come.
        if (!/the connection has ended|57P01/.test(String(error))) throw error;
        written = await readDirect();
      }
    }
    expect(crew.count('worker is ready')).toBe(readies + 2);
    expect(hits).toBeGreaterThan(0);
  });
});
