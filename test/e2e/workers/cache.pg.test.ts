/** The query cache, where several workers read and write. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ask, settledStatus, simple } from '../../support/cached.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { rowsOf } from '../../support/wire.ts';
import { Crew } from './crew.ts';
import { askDirect } from './direct.ts';

const READ = simple('SELECT n FROM counter');
const ROUNDS = 30;

let database: TestDatabase;
let crew: Crew | null = null;

beforeAll(async () => {
  database = await createDatabase();
  await askDirect(database, 'CREATE TABLE counter AS SELECT 0 AS n');
});

afterEach(async () => {
  if (crew?.serve.program.isRunning === true) await crew.serve.stop();
  crew = null;
});

afterAll(async () => {
  await database?.drop();
});

describe('workers', () => {
  it('never give an answer that is older than what a client of another one has written', async () => {
    crew = await Crew.start(database, { links: 4 });
    const [one, two] = [await crew.connectTo(1), await crew.connectTo(2)];
    await settledStatus(one, READ);
    await settledStatus(two, READ);
    for (let n = 1; n <= ROUNDS; n++) {
      const [writer, reader] = n % 2 === 0 ? [one, two] : [two, one];
      await ask(reader, READ);
      await ask(writer, simple('UPDATE counter SET n = n + 1'));
      expect(rowsOf(await ask(reader, READ))).toEqual([[`${n}`]]);
    }
  });

  it('keep nothing in mode write-through, as they know only of what they write themselves', async () => {
    crew = await Crew.start(database);
    for (const worker of [1, 2]) {
      const client = await crew.connectTo(worker);
      expect(await settledStatus(client, READ)).toBe('disabled');
      expect(rowsOf(await client.ask('SHOW millrace.cache'))).toEqual([['off']]);
    }
  });
});
