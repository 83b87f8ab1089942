import { extended, simple } from './cached.ts';
import { rowsOf, type WireClient } from './wire.ts';

const CLIENTS = 4;

/**
 * Clients read and write counters that only grow, in all ways at once, and remember what anybody
 * has been told. Nobody may ever read less than what somebody was told before he asked.
 */
const TABLES = ['plain', 'viewed', 'logged', 'parts_low'] as const;
type Table = (typeof TABLES)[number];

export const SCHEMA = `
  CREATE TABLE plain (n int, o int); INSERT INTO plain VALUES (0, 0);
  CREATE TABLE viewed (n int, o int); INSERT INTO viewed VALUES (0, 0);
  CREATE VIEW viewing AS SELECT n FROM viewed;
  CREATE TABLE logged (n int, o int); INSERT INTO logged VALUES (0, 0);
  CREATE TABLE logging (x int);
  CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE logged SET n = n + 1; RETURN NEW; END';
  CREATE TRIGGER logs AFTER INSERT ON logging FOR EACH ROW EXECUTE FUNCTION log();
  CREATE TABLE parts (n int, o int) PARTITION BY RANGE (o);
  CREATE TABLE parts_low PARTITION OF parts DEFAULT; INSERT INTO parts VALUES (0, 0);`;

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

/** Somebody who does not pass through the gateway, and leaves the counters as they are. */
const OUTSIDE = ['plain', 'viewed', 'logged', 'parts'].map(
  (table) => `UPDATE ${table} SET o = o + 1`,
);

/** With it, whoever writes to `plain` writes to `logged` as well. */
const TRIGGER =
  'CREATE TRIGGER more AFTER UPDATE OF n ON plain FOR EACH ROW EXECUTE FUNCTION log()';
const ALTERATIONS = [
  'DROP TRIGGER IF EXISTS more ON plain',
  `DROP TRIGGER IF EXISTS more ON plain; ${TRIGGER}`,
];

export type WorldOptions = {
  readonly seed: number;
  readonly steps: number;
  /** Whether what a statement writes changes from time to time. */
  readonly alters?: boolean;
};

/** A small generator, so that a seed says what happens. */
export function randomOf(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

export class World {
  readonly violations: string[] = [];
  reads = 0;
  /** The least that anybody may read from now on. */
  readonly #known = new Map<Table, number>(TABLES.map((table) => [table, 0]));
  readonly #clients: readonly WireClient[];
  readonly #options: WorldOptions;
  readonly #random: (count: number) => number;

  constructor(clients: readonly WireClient[], options: WorldOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#random = randomOf(options.seed);
  }

  /** @param outside a client of the origin itself */
  async run(outside: WireClient): Promise<void> {
    let isOver = false;
    const act = async (client: WireClient): Promise<void> => {
      for (let step = 0; step < this.#options.steps; step++) await this.#step(client);
    };
    const disturb = async (): Promise<void> => {
      for (let turn = 0; !isOver; turn++) {
        await outside.rows(OUTSIDE[turn % OUTSIDE.length] as string);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const disturbing = disturb();
    await Promise.all(this.#clients.map(act));
    isOver = true;
    await disturbing;
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
    } else if (dice < 23 && this.#options.alters === true) {
      await this.#exchange(client, [simple(ALTERATIONS[this.#random(2)] as string)]);
    } else if (dice < 26) await this.#readBehind(client, table);
    else await this.#read(client, table, [], this.#least(table));
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

  /** Behind a unit of its own that is under way: the last answer is that of the last question. */
  async #readBehind(client: WireClient, table: Table): Promise<void> {
    const least = this.#least(table);
    const sql = READS[table][0] as string;
    client.send(simple('SELECT -1 FROM pg_sleep(0.005)'));
    await new Promise((resolve) => setTimeout(resolve, 1));
    client.send(simple(sql));
    const values = rowsOf(await client.readReady(2)).map(([value]) => Number(value));
    this.#judge(table, values.at(-1) as number, least, sql);
  }

  #judge(table: Table, value: number, least: number, sql: string): void {
    this.reads++;
    if (value < least) this.violations.push(`${sql}: ${value}, when ${least} was known`);
    this.#learn(table, value);
  }
}

/** A gateway, or one of its workers. */
export type Place = { connect(): Promise<WireClient> };

/**
 * Clients of all places, each of which has as many.
 * @param origin where one gets at the database itself
 */
export async function runWorld(
  places: readonly Place[],
  origin: Place,
  options: WorldOptions,
): Promise<World> {
  const clients: WireClient[] = [];
  for (let at = 0; at < CLIENTS; at++) {
    clients.push(await (places[at % places.length] as Place).connect());
  }
  const direct = await origin.connect();
  for (const table of ['plain', 'viewed', 'logged', 'parts']) {
    await direct.rows(`UPDATE ${table} SET n = 0`);
  }
  // What was written past the gateway is not seen at once; this is.
  await clients[0]?.ask('DROP TRIGGER IF EXISTS more ON plain');
  const world = new World(clients, options);
  await world.run(direct);
  for (const client of [...clients, direct]) await client.end();
  return world;
}

/** One of the numbers that the places tell of themselves. */
export async function told(places: readonly Place[], table: string, name: string): Promise<number> {
  let sum = 0;
  for (const place of places) {
    const client = await place.connect();
    const rows = rowsOf(await client.ask(`SHOW millrace.${table}`));
    await client.end();
    sum += Number(rows.find(([key]) => key === name)?.[1]);
  }
  return sum;
}

/** How often something was answered from the cache so far. */
export function hits(places: readonly Place[]): Promise<number> {
  return told(places, 'cache_statuses', 'hit');
}

/** Whether any of ten worlds shows that something is wrong. */
export async function isFoundOut(
  places: readonly Place[],
  origin: Place,
  options: Omit<WorldOptions, 'seed'>,
): Promise<boolean> {
  for (let seed = 1; seed <= 10; seed++) {
    const { violations } = await runWorld(places, origin, { ...options, seed });
    if (violations.length > 0) return true;
  }
  return false;
}
