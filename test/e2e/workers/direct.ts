/** Questions to the database itself, past the gateway. */
import pg from 'pg';
import type { TestDatabase } from '../../support/pg.ts';

/** The first value of the answer, as text. */
export async function askDirect(database: TestDatabase, sql: string): Promise<string> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return String(rows[0]?.[0]);
  } finally {
    await client.end();
  }
}

/** Looks all the time how many connections the gateway has, until it is stopped. */
export class ConnectionCount {
  readonly #client: pg.Client;
  readonly #running: Promise<void>;
  #isStopped = false;
  /** The most that were ever there at once. */
  most = 0;
  /** How many there were at the last look. */
  now = 0;
  looks = 0;

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#running = this.#run();
  }

  static async start(database: TestDatabase): Promise<ConnectionCount> {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    return new ConnectionCount(client);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#client.end();
  }

  async #run(): Promise<void> {
    const text = `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'`;
    while (!this.#isStopped) {
      const { rows } = await this.#client.query<{ n: number }>(text);
      this.now = rows[0]?.n ?? 0;
      this.most = Math.max(this.most, this.now);
      this.looks++;
    }
  }
}
