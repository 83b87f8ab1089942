/** The model of the cache over two gateways in front of one database, as workers are. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { BoardFile } from '../../src/gateway/cache/board-file.ts';
import { OriginWrites } from '../../src/gateway/cache/origin-writes.ts';
import { WriteBoard } from '../../src/gateway/cache/write-board.ts';
import { countAtAnswer, noFence } from '../support/cache-mutants.ts';
import { hits, isFoundOut, runWorld, SCHEMA } from '../support/cache-world.ts';
import { TestGateway } from '../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';

let database: TestDatabase;
let file: BoardFile;
let gateways: TestGateway[] = [];
const origin = { connect: () => (gateways[0] as TestGateway).connectDirect() };

beforeAll(async () => {
  database = await createDatabase();
  file = BoardFile.create(2);
  gateways = await Promise.all(
    [1, 2].map((number) => {
      const board = new WriteBoard(file, number);
      return TestGateway.start({ links: 4, caching: {}, board }, database);
    }),
  );
  const direct = await origin.connect();
  await direct.rows(SCHEMA);
  await direct.end();
});

afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
  file.close();
  await database.drop();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('clients of two workers', () => {
  it.each([1, 2, 3, 4])('never read less than was known before (seed %i)', async (seed) => {
    const before = await hits(gateways);
    const world = await runWorld(gateways, origin, { seed, steps: 150 });
    expect(world.violations).toEqual([]);
    // A cache that answers nothing would be right, too.
    expect((await hits(gateways)) - before).toBeGreaterThan(world.reads / 40);
  });

  it.each([5, 6, 7, 8])(
    'never do, when what is written by a statement changes (seed %i)',
    async (seed) => {
      const world = await runWorld(gateways, origin, { seed, steps: 150, alters: true });
      expect(world.violations).toEqual([]);
    },
  );
});

const nothing = (): void => {};

const MUTANTS: readonly (readonly [name: string, apply: () => void])[] = [
  ['no fence', noFence],
  ['writes that count at their answer only', countAtAnswer],
  [
    'writes that count in one worker only',
    () => {
      vi.spyOn(WriteBoard.prototype, 'fence').mockImplementation(nothing);
      vi.spyOn(WriteBoard.prototype, 'lift').mockImplementation(nothing);
    },
  ],
  [
    'writes that others hear of a little later',
    () => {
      vi.spyOn(OriginWrites.prototype, 'catchUp').mockImplementation(nothing);
    },
  ],
];

describe('the model finds out', () => {
  it.each(MUTANTS)('%s', async (_name, apply) => {
    apply();
    expect(await isFoundOut(gateways, origin, { steps: 150 })).toBe(true);
  });
});
