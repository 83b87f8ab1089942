import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { psql, run, runWell } from '../support/command.ts';
import { type Serve, startServe } from '../support/millrace.ts';

const MODES = ['simple', 'extended', 'prepared'] as const;
const CLIENTS = 64;
const LINKS = 8;
const SECONDS = 4;

describe('pgbench with 64 clients over 8 links', () => {
  let database: TestDatabase;
  let serve: Serve;

  beforeAll(async () => {
    database = await createDatabase();
    serve = await startServe({ originUrl: database.url, links: LINKS });
    await runWell('pgbench', ['-i', '-I', 'dtgvpf', '-q', '-s', '4', serve.url]);
  });

  afterAll(async () => {
    await serve?.stop();
    await database?.drop();
  });

  /** Transactions done; throws unless every client came through without a single failure. */
  async function bench(...args: string[]): Promise<number> {
    const common = ['-n', '-c', String(CLIENTS), '-T', String(SECONDS)];
    const { code, stdout, stderr } = await run('pgbench', [...common, ...args, serve.url]);
    const said = `${stdout}\n${stderr}`;
    expect(code, said).toBe(0);
    expect(said).not.toMatch(/aborted|ERROR|FATAL/);
    expect(stdout).toContain('number of failed transactions: 0 ');
    const done = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1]);
    expect(done).toBeGreaterThan(CLIENTS);
    return done;
  }

  it.each(MODES)('reads points in %s mode', async (mode) => {
    await bench('-M', mode, '-S', '-j', '2');
    const links = await psql(
      database.url,
      `SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'`,
    );
    // The one that asks is not a link; one of them may be the gateway's own, for the catalogue.
    expect(Number(links) - 1).toBeLessThanOrEqual(LINKS);
  });

  it.each(MODES)('does TPC-B in %s mode, and the books balance', async (mode) => {
    await psql(serve.url, 'UPDATE pgbench_accounts SET abalance = 0 WHERE abalance <> 0');
    await psql(
      serve.url,
      `UPDATE pgbench_branches SET bbalance = 0; UPDATE pgbench_tellers SET tbalance = 0;
      TRUNCATE pgbench_history`,
    );
    // To prepare a statement, pgbench stops a whole thread until it is answered, also its clients
    // that hold links: so each client has a thread of its own.
    const done = await bench('-M', mode, '-j', mode === 'prepared' ? String(CLIENTS) : '2');
    const sums = await psql(
      database.url,
      `SELECT (SELECT sum(abalance) FROM pgbench_accounts) = sum(delta),
        (SELECT sum(bbalance) FROM pgbench_branches) = sum(delta),
        (SELECT sum(tbalance) FROM pgbench_tellers) = sum(delta), count(*) FROM pgbench_history`,
    );
    expect(sums).toBe(`t|t|t|${done}`);
  });

  it.each(['extended', 'prepared'])('pipelines in %s mode', async (mode) => {
    const script = join(serve.dir, 'pipeline.sql');
    const read = 'SELECT abalance FROM pgbench_accounts WHERE aid = :aid;';
    await writeFile(
      script,
      `\\set aid random(1, 400000)
\\startpipeline
${read}
BEGIN;
${read}
END;
${read}
\\endpipeline
`,
    );
    await bench('-M', mode, '-f', script);
  });

  it('connects anew for every transaction', async () => {
    await bench('-S', '-C');
  });

  it('keeps each client to its own session settings', async () => {
    const script = join(serve.dir, 'own.sql');
    await writeFile(
      script,
      `SET e2e.who = :client_id;
SELECT (current_setting('e2e.who') = :client_id::text)::int AS own \\gset
SELECT 1 / :own;
BEGIN;
SELECT set_config('e2e.local', :client_id::text, true);
SELECT (current_setting('e2e.local') = :client_id::text)::int AS own \\gset
END;
SELECT 1 / :own;
`,
    );
    await bench('-M', 'simple', '-f', script);
  });
});
