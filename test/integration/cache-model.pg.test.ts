import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RelationVersions } from '../../src/cache/relation-versions.ts';
import { Session } from '../../src/session/session.ts';
import { extended, simple } from '../support/cached.ts';
import { TestGateway } from '../support/gateway.ts';
import { rowsOf, type WireClient } from '../support/wire.ts';

/**
 * Clients read and write counters that only grow, in all ways at once, and remember what anybody
 * has been told. Nobody may ever read less than what somebody was told before he asked.
 */
const TABLES = ['plain', 'viewed', 'logged', 'parts_low'] as const;
type Table = (typeof TABLES)[number];

const SCHEMA = `
  CREATE TABLE plain (n int); INSERT INTO plain VALUES (0);
  CREATE TABLE viewed (n int); INSERT INTO viewed VALUES (0);
  CREATE VIEW viewing AS SELECT n FROM viewed;
  CREATE TABLE logged (n int); INSERT INTO logged VALUES (0);
  CREATE TABLE logging (x int);
  CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE logged SET n = n + 1; RETURN NEW; END';
  CREATE TRIGGER logs AFTER INSERT ON logging FOR EACH ROW EXECUTE FUNCTION log();
  CREATE TABLE parts (n int) PARTITION BY RANGE (n);
  CREATE TABLE parts_low PARTITION OF parts DEFAULT; INSERT INTO parts VALUES (0);`;

const READS: Readonly<Record<Table, readonly string[]>> = {
  plain: ['SELECT n FROM plain', 'SELECT max(n) FROM plain'],
  viewed: ['SELECT n FROM viewing', 'SELECT n FROM viewed'],
  logged: ['SELECT n FROM logged'],
  parts_low: ['SELECT n FROM parts', 'SELECT n FROM parts_low'],
};
const WRITES: Readonly<Record<Table, string>> = {
  plain: 'UPDATE plain SET n = n + 1',
  viewed: 'UPDATE viewing SET n = n + 1',
  logged: 'INSERT INTO logging VALUES (1)',
  parts_low: 'UPDATE parts SET n = n + 1',
};

/** A small generator, so that a seed says what happens. */
function randomOf(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

class World {
  readonly violations: string[] = [];
  reads = 0;
  /** The least that anybody may read from now on. */
  readonly #known = new Map<Table, number>(TABLES.map((table) => [table, 0]));
  readonly #client: WireClient[];
  readonly #random: (count: number) => number;

  constructor(clients: WireClient[], seed: number) {
    this.#client = clients;
    this.#random = randomOf(seed);
  }

  async run(steps: number): Promise<void> {
    const act = async (client: WireClient): Promise<void> => {
      for (let step = 0; step < steps; step++) await this.#step(client);
    };
    await Promise.all(this.#client.map(act));
  }

  async #step(client: WireClient): Promise<void> {
    const table = TABLES[this.#random(TABLES.length)] as Table;
    const write = WRITES[table];
    const dice = this.#random(100);
    if (dice < 2) await this.#write(client, table, [simple(write)]);
    else if (dice < 4) await this.#write(client, table, [extended(write)]);
    else if (dice < 6) await this.#write(client, table, ['BEGIN', write, 'COMMIT'].map(simple));
    else if (dice < 8) await this.#exchange(client, ['BEGIN', write, 'ROLLBACK'].map(simple));
    else if (dice < 11) {
      // Its own write first, and at once what it wrote.
      await this.#read(client, table, [simple(write)], this.#least(table) + 1);
    } else if (dice < 14) {
      // Committed long before the answer says so.
      const late = simple('COMMIT; SELECT pg_sleep(0.01)');
      await this.#write(client, table, [simple('BEGIN'), simple(write), late]);
    } else if (dice < 20) await this.#readInTransaction(client, table);
    else if (dice < 21 && this.#random(4) === 0) {
      await this.#exchange(client, [simple(`COMMENT ON TABLE ${table} IS 'x'`)]);
    } else await this.#read(client, table, [], this.#least(table));
  }

  #least(table: Table): number {
    return this.#known.get(table) as number;
  }

  #learn(table: Table, value: number): void {
    this.#known.set(table, Math.max(this.#least(table), value));
  }

  async #exchange(client: WireClient, messages: readonly Uint8Array[]): Promise<number[]> {
    client.send(...messages);
    const replies = await client.readReady(messages.length);
    return rowsOf(replies).map(([value]) => Number(value));
  }

  /** What a write has made is read in its own transaction's row, or right behind it. */
  async #write(client: WireClient, table: Table, messages: readonly Uint8Array[]): Promise<void> {
    const least = this.#least(table);
    await this.#exchange(client, messages);
    // Others may have written too: at least one more than when it began.
    this.#learn(table, least + 1);
  }

  async #read(
    client: WireClient,
    table: Table,
    before: readonly Uint8Array[],
    least: number,
  ): Promise<void> {
    const texts = READS[table];
    const sql = texts[this.#random(texts.length)] as string;
    const message = this.#random(2) === 0 ? simple(sql) : extended(sql);
    const rows = await this.#exchange(client, [...before, message]);
    this.#judge(table, rows.at(-1) as number, least, sql);
  }

  async #readInTransaction(client: WireClient, table: Table): Promise<void> {
    const least = this.#least(table);
    const sql = READS[table][0] as string;
    const rows = await this.#exchange(client, ['BEGIN', sql, 'COMMIT'].map(simple));
    this.#judge(table, rows.at(-1) as number, least, sql);
  }

  #judge(table: Table, value: number, least: number, sql: string): void {
    this.reads++;
    if (value < least) this.violations.push(`${sql}: ${value}, when ${least} was known`);
    this.#learn(table, value);
  }
}

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({ links: 6, caching: {} });
  const direct = await gateway.connectDirect();
  await direct.rows(SCHEMA);
  await direct.end();
});

afterAll(() => gateway.stop());
afterEach(() => {
  vi.restoreAllMocks();
});

async function runWorld(seed: number, steps: number): Promise<World> {
  const clients = await Promise.all([1, 2, 3, 4].map(() => gateway.connect()));
  const direct = await gateway.connectDirect();
  await direct.rows('UPDATE plain SET n = 0');
  await direct.rows('UPDATE viewed SET n = 0');
  await direct.rows('UPDATE logged SET n = 0');
  await direct.rows('UPDATE parts SET n = 0');
  // What was written past the gateway is not seen at once; this is.
  await clients[0]?.ask("COMMENT ON TABLE plain IS 'anew'");
  const world = new World(clients, seed);
  await world.run(steps);
  for (const client of [...clients, direct]) await client.end();
  return world;
}

/** One of the numbers that the gateway tells of itself. */
async function told(table: string, name: string): Promise<number> {
  const client = await gateway.connect();
  const rows = rowsOf(await client.ask(`SHOW millrace.${table}`));
  await client.end();
  return Number(rows.find(([key]) => key === name)?.[1]);
}

/** How often something was answered from the cache so far. */
const hits = (): Promise<number> => told('cache_statuses', 'hit');

describe('clients of one gateway', () => {
  it.each([1, 2, 3, 4])('never read less than was known before (seed %i)', async (seed) => {
    const before = await hits();
    const world = await runWorld(seed, 150);
    expect(world.violations).toEqual([]);
    // A cache that answers nothing would be right, too.
    expect((await hits()) - before).toBeGreaterThan(world.reads / 10);
  });

  it.skipIf(process.env['MILLRACE_TEST_SHARE'] === 'off')(
    'read over shared links, too',
    async () => {
      expect(await told('sharing', 'shared')).toBeGreaterThan(20);
    },
  );
});

const MUTANTS: readonly (readonly [name: string, apply: () => void])[] = [
  [
    'no fence',
    () => {
      vi.spyOn(RelationVersions.prototype, 'fence').mockImplementation(() => {});
      vi.spyOn(RelationVersions.prototype, 'lift').mockImplementation(() => {});
    },
  ],
  [
    'writes that count at their answer only',
    () => {
      vi.spyOn(RelationVersions.prototype, 'fence').mockImplementation(() => {});
      vi.spyOn(RelationVersions.prototype, 'lift').mockImplementation(function (
        this: RelationVersions,
        writes,
      ) {
        this.changed(writes);
      });
    },
  ],
  [
    'answers ahead of what the client has not finished',
    () => {
      vi.spyOn(Session.prototype, 'isFree', 'get').mockImplementation(function (this: Session) {
        return !this.isClosed && !this.isUnsynced && this.framer.isBetweenMessages;
      });
      vi.spyOn(RelationVersions.prototype, 'fence').mockImplementation(() => {});
      vi.spyOn(RelationVersions.prototype, 'lift').mockImplementation(function (
        this: RelationVersions,
        writes,
      ) {
        this.changed(writes);
      });
    },
  ],
];

describe('the model finds out', () => {
  it.each(MUTANTS)('%s', async (_name, apply) => {
    apply();
    let violations = 0;
    for (let seed = 1; seed <= 10 && violations === 0; seed++) {
      violations = (await runWorld(seed, 150)).violations.length;
    }
    expect(violations).toBeGreaterThan(0);
  });
});
