/**
 * Clients that name themselves in every row, and a network that fails on both sides of the gateway.
 * `MILLRACE_FAULT_SEED` begins with that seed, `MILLRACE_FUZZ_SECONDS` sets the time.
 */
import { describe, expect, it } from 'vitest';
import { Dice } from '../support/dice.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { illTreat } from '../support/fault-schedule.ts';
import { FUZZ_MS, FUZZ_TEST_TIMEOUT_MS, fuzzSeed } from '../support/fuzz-budget.ts';
import { directTarget, TestGateway } from '../support/gateway.ts';
import { createDatabase } from '../support/pg.ts';
import { errorsOf, rowsOf, WireClient, type WireTarget } from '../support/wire.ts';
import { query, sync, unnamed } from '../support/wire-messages.ts';

const CLIENTS = 8;
const LINKS = 5;
/** A client whose connection stands still gives up. */
const PATIENCE_MS = 1_500;
const BUFFERS_BYTES_MAX = 64 * 1_048_576;

/** One client, which connects again whenever its connection fails. */
class Actor {
  readonly name: string;
  readonly #target: WireTarget;
  readonly #dice: Dice;
  #serial = 0;
  /** Marks whose commit was told, and those of which nobody knows. */
  readonly acknowledged: string[] = [];
  readonly unknown: string[] = [];
  readonly rolledBack: string[] = [];
  served = 0;
  lost = 0;

  constructor(target: WireTarget, dice: Dice, number: number) {
    this.name = `c${number}`;
    this.#target = target;
    this.#dice = dice;
  }

  /** @param mayFail false once the faults are over: then everything must succeed */
  async run(isOver: () => boolean, mayFail: boolean): Promise<void> {
    while (!isOver()) {
      let client: WireClient | null = null;
      try {
        client = await this.#connect();
        while (!isOver()) {
          await this.#work(client);
          this.served++;
        }
        await client.end();
      } catch (error) {
        client?.vanish();
        this.lost++;
        if (!mayFail || error instanceof WrongAnswer) throw error;
      }
    }
  }

  async #connect(): Promise<WireClient> {
    const client = await WireClient.dial(this.#target);
    // A login that stands still ends with its connection.
    const timer = setTimeout(() => client.vanish(), 2 * PATIENCE_MS);
    try {
      await client.logIn({ application_name: this.name });
    } finally {
      clearTimeout(timer);
    }
    return client;
  }

  #mark(): string {
    return `${this.name}.${this.#serial++}`;
  }

  #work(client: WireClient): Promise<void> {
    const kind = this.#dice.below(5);
    if (kind < 2) return this.#read(client);
    return kind < 4 ? this.#insert(client) : this.#transaction(client);
  }

  /** A pipeline of reads: the rows are its own, all of them, in order. */
  async #read(client: WireClient): Promise<void> {
    const marks = Array.from({ length: 1 + this.#dice.below(6) }, () => this.#mark());
    const isWide = this.#dice.oneIn(5);
    const filler = isWide ? `repeat('${this.name}', 9000)` : "''";
    for (const mark of marks) {
      if (this.#dice.oneIn(2)) client.send(query(`SELECT '${mark}', ${filler}`));
      else client.send(...unnamed(`SELECT $1::text, ${filler}`, [mark]), sync());
    }
    const replies = await client.readReady(marks.length, PATIENCE_MS);
    const fill = isWide ? this.name.repeat(9_000) : '';
    this.#expectSame(
      rowsOf(replies),
      marks.map((mark) => [mark, fill]),
    );
    this.#expectSame(errorsOf(replies), []);
  }

  async #insert(client: WireClient): Promise<void> {
    const mark = this.#mark();
    this.unknown.push(mark);
    client.send(...unnamed('INSERT INTO soak VALUES ($1) RETURNING mark', [mark]), sync());
    const replies = await client.readReady(1, PATIENCE_MS);
    this.#expectSame(rowsOf(replies), [[mark]]);
    this.#settle(mark, this.acknowledged);
  }

  async #transaction(client: WireClient): Promise<void> {
    const mark = this.#mark();
    const commits = this.#dice.below(3) > 0;
    this.unknown.push(mark);
    await client.rows('BEGIN', PATIENCE_MS);
    await client.rows(`INSERT INTO soak VALUES ('${mark}')`, PATIENCE_MS);
    const mine = `SELECT mark FROM soak WHERE mark = '${mark}'`;
    this.#expectSame(await client.rows(mine, PATIENCE_MS), [[mark]]);
    await client.rows(commits ? 'COMMIT' : 'ROLLBACK', PATIENCE_MS);
    this.#settle(mark, commits ? this.acknowledged : this.rolledBack);
  }

  #settle(mark: string, into: string[]): void {
    this.unknown.splice(this.unknown.indexOf(mark), 1);
    into.push(mark);
  }

  #expectSame(read: unknown, wanted: unknown): void {
    const [is, should] = [JSON.stringify(read), JSON.stringify(wanted)];
    if (is !== should) throw new WrongAnswer(`${is.slice(0, 300)} not ${should.slice(0, 300)}`);
  }
}

class WrongAnswer extends Error {}

/** Commits that were told are there once, others at most once, those taken back never. */
function checkRows(actors: readonly Actor[], stored: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const mark of stored) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  const take = (mark: string): number => {
    const count = counts.get(mark) ?? 0;
    counts.delete(mark);
    return count;
  };
  for (const { acknowledged, unknown, rolledBack } of actors) {
    expect(acknowledged.filter((mark) => take(mark) !== 1)).toEqual([]);
    expect(unknown.filter((mark) => take(mark) > 1)).toEqual([]);
    expect(rolledBack.filter((mark) => take(mark) !== 0)).toEqual([]);
  }
  expect([...counts.keys()]).toEqual([]);
}

describe('a network that fails on both sides', () => {
  it('costs connections, but neither answers nor commits', {
    timeout: FUZZ_TEST_TIMEOUT_MS,
  }, async () => {
    const seed = fuzzSeed('MILLRACE_FAULT_SEED');
    const database = await createDatabase();
    const far = await FaultProxy.start(directTarget(database));
    const timeouts = { connectTimeoutMs: 1_000, waitTimeoutMs: 20_000 };
    const options = { originAt: far.at, links: LINKS, timeouts };
    const gateway = await TestGateway.start(options, database);
    const near = await FaultProxy.start(gateway.target);
    const side = await gateway.connectDirect();
    try {
      await side.rows('CREATE TABLE soak (mark text)');
      for (const [number, proxy] of [near, far].entries()) {
        const dice = new Dice(seed + 101 * number);
        proxy.onPair = (pair) => illTreat(pair, dice);
      }
      const untilMs = Date.now() + FUZZ_MS;
      const target = { ...gateway.target, ...near.at };
      const actors = Array.from(
        { length: CLIENTS },
        (_, number) => new Actor(target, new Dice(seed + 7_919 * number), number),
      );
      await Promise.all(actors.map((actor) => actor.run(() => Date.now() > untilMs, true)));
      const lost = actors.reduce((sum, actor) => sum + actor.lost, 0);
      expect(lost).toBeGreaterThan(FUZZ_MS / 5_000);
      for (const proxy of [near, far]) {
        proxy.onPair = () => {};
        for (const pair of proxy.pairs) pair.end('rst');
      }
      // The faults are over: everybody is served, and nothing fails any more.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const calmUntilMs = Date.now() + 1_500;
      const before = actors.map(({ served }) => served);
      await Promise.all(actors.map((actor) => actor.run(() => Date.now() > calmUntilMs, false)));
      for (const [at, { served }] of actors.entries()) {
        expect(served).toBeGreaterThan(before[at] as number);
      }
      const others = `FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
      const busy = `SELECT state, query ${others} AND state <> 'idle'`;
      await expect.poll(() => side.rows(busy), { timeout: 20_000 }).toEqual([]);
      expect(far.open.length).toBeLessThanOrEqual(LINKS);
      const count = () => side.rows(`SELECT count(*) ${others}`);
      await expect.poll(count, { timeout: 20_000 }).toEqual([[String(far.open.length)]]);
      checkRows(actors, (await side.rows('SELECT mark FROM soak')).flat() as string[]);
      expect(process.memoryUsage().arrayBuffers).toBeLessThan(BUFFERS_BYTES_MAX);
      const failed = gateway.complaints.filter((one) => !one.startsWith('origin not reached'));
      expect(failed).toEqual([]);
    } catch (cause) {
      throw new Error(`MILLRACE_FAULT_SEED=${seed}`, { cause });
    } finally {
      side.vanish();
      await near.stop();
      await gateway.stop();
      await far.stop();
      await database.drop();
    }
  });
});
