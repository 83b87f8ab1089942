/**
 * Isolation under load: many clients on few links, each doing what a seed tells it, and every
 * answer must carry the client's own unique mark. A failure names its seed; `MILLRACE_SOAK_SEED`
 * runs it again, as far as timing lets it.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Dice } from '../support/dice.ts';
import { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import {
  codesOf,
  errorsOf,
  errorText,
  type Reply,
  rowsOf,
  type WireClient,
} from '../support/wire.ts';
import {
  bind,
  closeMessage,
  copyData,
  copyDone,
  describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
  unnamed,
} from '../support/wire-messages.ts';

const CLIENTS = 30;
const LINKS = 3;
const DURATION_MS = 12_000;

const ZONES = ['UTC', 'Asia/Tokyo', 'Europe/Paris', 'America/Lima'];

/** One client and what it believes of its own session. */
class Actor {
  readonly #gateway: TestGateway;
  readonly #dice: Dice;
  readonly #name: string;
  #client: WireClient | null = null;
  #serial = 0;
  /** Suffix that each named statement returns. */
  #statements = new Map<string, string>();
  #zone = '';
  readonly done = new Map<string, number>();

  constructor(gateway: TestGateway, seed: number, name: string) {
    this.#gateway = gateway;
    this.#dice = new Dice(seed);
    this.#name = name;
  }

  async run(untilMs: number): Promise<void> {
    while (Date.now() < untilMs) {
      this.#client ??= await this.#connect();
      const [action, work] = this.#dice.pick(this.#actions);
      await work(this.#client);
      this.done.set(action, (this.done.get(action) ?? 0) + 1);
    }
    await this.#client?.end();
  }

  readonly #actions: readonly (readonly [string, (client: WireClient) => Promise<void>])[] = [
    ['simple', (client) => this.#simple(client)],
    ['simple', (client) => this.#simple(client)],
    ['extended', (client) => this.#extended(client)],
    ['extended', (client) => this.#extended(client)],
    ['pipeline', (client) => this.#pipeline(client)],
    ['pipeline', (client) => this.#pipeline(client)],
    ['named', (client) => this.#named(client)],
    ['named', (client) => this.#named(client)],
    ['transaction', (client) => this.#transaction(client)],
    ['error', (client) => this.#error(client)],
    ['setting', (client) => this.#setting(client)],
    ['cancel', (client) => this.#cancel(client)],
    ['copy', (client) => this.#copy(client)],
    ['pieces', (client) => this.#pieces(client)],
    ['leave', (client) => this.#leave(client)],
  ];

  async #connect(): Promise<WireClient> {
    this.#zone = this.#dice.pick(ZONES);
    this.#statements = new Map();
    return this.#gateway.connect({ TimeZone: this.#zone, application_name: this.#name });
  }

  #mark(): string {
    return `${this.#name}.${this.#serial++}`;
  }

  async #simple(client: WireClient): Promise<void> {
    const mark = this.#mark();
    expect(await client.rows(`SELECT '${mark}', current_setting('TimeZone')`)).toEqual([
      [mark, this.#zone],
    ]);
  }

  async #extended(client: WireClient): Promise<void> {
    const mark = this.#mark();
    client.send(parse('', 'SELECT $1::text'), describeMessage('S', ''), bind('', '', [mark]));
    if (this.#dice.below(4) === 0) await nap(this.#dice.below(3));
    client.send(execute(), sync());
    this.#expectRows(await client.readReady(), '1tT2DCZ', [mark]);
  }

  async #pipeline(client: WireClient): Promise<void> {
    const marks = Array.from({ length: 1 + this.#dice.below(6) }, () => this.#mark());
    const failing = this.#dice.below(marks.length * 3);
    client.send(
      ...marks.flatMap((mark, at) =>
        at === failing
          ? [...unnamed('SELECT 1/0'), ...unnamed('SELECT 9'), sync()]
          : [...unnamed('SELECT $1::text', [mark]), sync()],
      ),
    );
    const replies = await client.readReady(marks.length);
    expect(rowsOf(replies).flat()).toEqual(marks.filter((_, at) => at !== failing));
    expect(errorsOf(replies)).toEqual(failing < marks.length ? ['22012'] : []);
  }

  /** The names are those of everybody; the texts are shared by some. */
  async #named(client: WireClient): Promise<void> {
    const name = `s${this.#dice.below(4)}`;
    const known = this.#statements.get(name);
    if (known !== undefined && this.#dice.below(3) === 0) {
      client.send(closeMessage('S', name), sync());
      expect(codesOf(await client.readReady())).toBe('3Z');
      this.#statements.delete(name);
      return;
    }
    const suffix =
      known ?? (this.#dice.below(2) === 0 ? `.${this.#name}` : `.${this.#dice.below(3)}`);
    const mark = this.#mark();
    if (known === undefined) client.send(parse(name, `SELECT $1 || '${suffix}'`));
    this.#statements.set(name, suffix);
    client.send(bind('', name, [mark]), execute(), sync());
    const codes = known === undefined ? '12DCZ' : '2DCZ';
    this.#expectRows(await client.readReady(), codes, [mark + suffix]);
  }

  async #transaction(client: WireClient): Promise<void> {
    const mark = this.#mark();
    await client.rows('BEGIN');
    await client.rows(`INSERT INTO soak VALUES ('${mark}')`);
    if (this.#dice.below(3) === 0) await nap(this.#dice.below(4));
    const mine = `SELECT mark FROM soak WHERE mark LIKE '${this.#name}.%'`;
    expect(await client.rows(mine)).toEqual([[mark]]);
    client.send(...unnamed(`DELETE FROM soak WHERE mark = $1`, [mark]), flush());
    for (const code of '12C') expect((await client.read()).code).toBe(code);
    client.send(sync());
    await client.readReady();
    await client.rows(this.#dice.below(2) === 0 ? 'COMMIT' : 'ROLLBACK');
    expect(await client.rows(mine)).toEqual([]);
  }

  async #error(client: WireClient): Promise<void> {
    const mark = this.#mark();
    client.send(query(`SELECT '${mark}'::int`));
    const [error] = await client.readReady();
    expect(errorText(error?.body as Buffer)).toContain(mark);
  }

  async #setting(client: WireClient): Promise<void> {
    this.#zone = this.#dice.pick(ZONES);
    if (this.#dice.below(2) === 0) await client.rows(`SET TimeZone = '${this.#zone}'`);
    else {
      client.send(...unnamed("SELECT set_config('TimeZone', $1, false)", [this.#zone]), sync());
      expect(errorsOf(await client.readReady())).toEqual([]);
    }
    await this.#simple(client);
  }

  /** It may come too late or too early, but hits nobody else: they would see an error. */
  async #cancel(client: WireClient): Promise<void> {
    const mark = this.#mark();
    client.send(query(`SELECT '${mark}', pg_sleep(0.00${this.#dice.below(9)})`));
    await nap(this.#dice.below(10));
    const cancelled = client.cancel();
    const replies = await client.readReady();
    if (errorsOf(replies).length === 0) expect(rowsOf(replies)).toEqual([[mark, '']]);
    else expect(errorsOf(replies)).toEqual(['57014']);
    await cancelled;
  }

  async #copy(client: WireClient): Promise<void> {
    const mark = this.#mark();
    await client.rows('BEGIN');
    client.send(query('COPY soak FROM STDIN'), copyData(`${mark}\n`), copyDone());
    expect(codesOf(await client.readReady())).toBe('GCZ');
    const replies = await client.ask(
      `COPY (SELECT mark FROM soak WHERE mark = '${mark}') TO STDOUT`,
    );
    expect(replies[1]?.body.toString()).toBe(`${mark}\n`);
    await client.rows('ROLLBACK');
  }

  async #pieces(client: WireClient): Promise<void> {
    const mark = this.#mark();
    const bytes = Buffer.concat([...unnamed('SELECT $1::text', [mark]), sync()]);
    await client.dribble(bytes, [1 + this.#dice.below(9), 1 + this.#dice.below(30)]);
    this.#expectRows(await client.readReady(), '12DCZ', [mark]);
  }

  /** Leaves at a bad moment, and comes back as another. */
  async #leave(client: WireClient): Promise<void> {
    this.#client = null;
    const mark = this.#mark();
    const going: Buffer[][] = [
      [],
      [query(`BEGIN; INSERT INTO soak VALUES ('${mark}')`)],
      [...unnamed(`SELECT $1, pg_sleep(0.005)`, [mark])],
      [query(`SELECT '${mark}', generate_series(1, 20000)`)],
      [query(`SELECT '${mark}'`).subarray(0, 9)],
    ];
    client.send(Buffer.alloc(0), ...this.#dice.pick(going));
    await nap(this.#dice.below(6));
    if (this.#dice.below(3) === 0) await client.end();
    else client.vanish(this.#dice.pick(['fin', 'rst']));
  }

  #expectRows(replies: readonly Reply[], codes: string, values: readonly string[]): void {
    expect({ codes: codesOf(replies), values: rowsOf(replies).flat() }).toEqual({ codes, values });
  }
}

describe('isolation', () => {
  it('every answer belongs to the client that gets it', async () => {
    const seed = Number(process.env['MILLRACE_SOAK_SEED'] ?? randomInt(1_000_000_000));
    const gateway = await TestGateway.start({ links: LINKS, timeouts: { waitTimeoutMs: 15_000 } });
    try {
      const side = await gateway.connectDirect();
      await side.rows('CREATE TABLE soak (mark text)');
      const untilMs = Date.now() + DURATION_MS;
      const actors = Array.from(
        { length: CLIENTS },
        (_, at) => new Actor(gateway, seed + at * 7_919, `c${at}`),
      );
      await Promise.all(actors.map((actor) => actor.run(untilMs)));
      const total = new Map<string, number>();
      for (const { done } of actors) {
        for (const [action, count] of done) total.set(action, (total.get(action) ?? 0) + count);
      }
      // Each kind of work must have been done, or nothing was shown.
      expect([...total].filter(([, count]) => count < 5)).toEqual([]);
      expect(gateway.complaints).toEqual([]);
      expect(await side.rows('SELECT count(*) FROM soak')).toEqual([['0']]);
      const links = `SELECT count(*) <= ${LINKS} FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
          AND pid <> pg_backend_pid()`;
      expect(await side.rows(links)).toEqual([['t']]);
      await side.end();
    } catch (error) {
      throw new Error(`with MILLRACE_SOAK_SEED=${seed}`, { cause: error });
    } finally {
      await gateway.stop();
    }
  }, 60_000);
});
