import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Session } from '../../src/session/session.ts';
import { countAtAnswer, noFence } from '../support/cache-mutants.ts';
import { hits, isFoundOut, runWorld, SCHEMA, told } from '../support/cache-world.ts';
import { TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
const origin = { connect: () => gateway.connectDirect() };

beforeAll(async () => {
  gateway = await TestGateway.start({ links: 6, caching: {} });
  const direct = await origin.connect();
  await direct.rows(SCHEMA);
  await direct.end();
});

afterAll(() => gateway.stop());
afterEach(() => {
  vi.restoreAllMocks();
});

describe('clients of one gateway', () => {
  it.each([1, 2, 3, 4])('never read less than was known before (seed %i)', async (seed) => {
    const before = await hits([gateway]);
    const world = await runWorld([gateway], origin, { seed, steps: 150 });
    expect(world.violations).toEqual([]);
    // A cache that answers nothing would be right, too.
    expect((await hits([gateway])) - before).toBeGreaterThan(world.reads / 40);
  });

  it.skipIf(process.env['MILLRACE_TEST_SHARE'] === 'off')(
    'read over shared links, too',
    async () => {
      expect(await told([gateway], 'sharing', 'shared')).toBeGreaterThan(20);
    },
  );
});

const MUTANTS: readonly (readonly [name: string, apply: () => void])[] = [
  ['no fence', noFence],
  ['writes that count at their answer only', countAtAnswer],
  [
    'answers ahead of what the client has not finished',
    () => {
      vi.spyOn(Session.prototype, 'isFree', 'get').mockImplementation(function (this: Session) {
        return !this.isClosed && !this.isUnsynced && this.framer.isBetweenMessages;
      });
    },
  ],
];

describe('the model finds out', () => {
  it.each(MUTANTS)('%s', async (_name, apply) => {
    apply();
    expect(await isFoundOut([gateway], origin, { steps: 150 })).toBe(true);
  });
});
