/** One program run twice, straight at PostgreSQL and through the gateway: both must say the same. */
import { expect } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { type CommandResult, psql } from './command.ts';
import { type Serve, startServe } from './millrace.ts';

/** Fewer than the clients of any such program, so that they have to take turns. */
const LINKS = 3;

export class BothWays {
  readonly database: TestDatabase;
  readonly serve: Serve;

  constructor(database: TestDatabase, serve: Serve) {
    this.database = database;
    this.serve = serve;
  }

  /** In transaction mode, before a database of its own. */
  static async start(links = LINKS): Promise<BothWays> {
    const database = await createDatabase();
    return new BothWays(database, await startServe({ originUrl: database.url, links }));
  }

  async stop(): Promise<void> {
    await this.serve.stop();
    await this.database.drop();
  }

  /**
   * What the program said, which has to be the same both times, each on an empty database.
   *
   * @param prepare SQL for the empty database
   */
  async compare<T = CommandResult>(program: (url: string) => Promise<T>, prepare = ''): Promise<T> {
    const reset = `SET client_min_messages = error; DROP SCHEMA public CASCADE;
      CREATE SCHEMA public; ${prepare}`;
    await psql(this.database.url, reset);
    const direct = await program(this.database.url);
    await psql(this.database.url, reset);
    const through = await program(this.serve.url);
    expect(through).toEqual(direct);
    return through;
  }
}

/** Equal failures prove nothing: a scenario has to end well, and to have said something. */
export function expectSuccess({ code, stdout, stderr }: CommandResult): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toBe('');
}
