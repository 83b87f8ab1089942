/** Other clients on the same links, so that a link has served someone else between statements. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** What each keeps in its own session; none of it may reach a script, nor a script's reach it. */
const OWN_SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, stranger',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'iso_8601',
  TimeZone: 'Asia/Kathmandu',
  bytea_output: 'escape',
  enable_seqscan: 'off',
  extra_float_digits: '-3',
  'stranger.word': 'here',
};

const CHECK = Object.keys(OWN_SETTINGS)
  .map((name) => `current_setting('${name}')`)
  .join(" || '/' || ");

/** Between its turns: it is to come between statements, not to take the machine from them. */
const PAUSE_MS = 25;

/** It reads and changes nothing that a script can see, and holds no snapshot for long. */
export class Stranger {
  readonly #client: pg.Client;
  readonly #names: boolean;
  readonly #ended: Promise<void>;
  #isWanted = true;
  #rounds = 0;

  private constructor(client: pg.Client, names: boolean) {
    this.#client = client;
    this.#names = names;
    this.#ended = this.#work();
    // Whoever stops it hears of it; before that nobody has asked.
    this.#ended.catch(() => {});
  }

  /** @param names whether it names its statement, as scripts name theirs, once by SQL */
  static async start(url: string, names: boolean): Promise<Stranger> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new Stranger(client, names);
  }

  /** Ends it; throws what went wrong. How often it had its turn. */
  async stop(): Promise<number> {
    this.#isWanted = false;
    try {
      await this.#ended;
    } finally {
      await this.#client.end();
    }
    return this.#rounds;
  }

  async #work(): Promise<void> {
    const client = this.#client;
    for (const [name, value] of Object.entries(OWN_SETTINGS)) {
      await client.query(`SELECT set_config('${name}', '${value}', false)`);
    }
    const expected = Object.values(OWN_SETTINGS).join('/');
    while (this.#isWanted) {
      const text = { text: `SELECT ${CHECK} AS own`, rowMode: 'array' } as const;
      const check = this.#names ? { ...text, name: 'q1' } : text;
      const { rows } = await client.query<[string]>(check);
      if (rows[0]?.[0] !== expected) throw new Error(`not its own settings: ${rows[0]?.[0]}`);
      await client.query("BEGIN; SET LOCAL TimeZone = 'UTC'; SET LOCAL ROLE pg_monitor");
      await client.query('ROLLBACK');
      this.#rounds += 1;
      await sleep(PAUSE_MS);
    }
  }
}
