import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { psql, run } from '../support/command.ts';
import { POOL_MODES, type Serve, startServe } from '../support/millrace.ts';

/** The interpreter that Debian's python3-psycopg is installed for, not any that comes first. */
const PYTHON = '/usr/bin/python3';
const scenariosPath = join(import.meta.dirname, 'scenarios.py');

const scenarios = execFileSync(PYTHON, [scenariosPath], { encoding: 'utf8' }).trim().split('\n');

describe.each(POOL_MODES)('psycopg 3 in %s mode', (poolMode) => {
  let database: TestDatabase;
  let serve: Serve;

  beforeAll(async () => {
    database = await createDatabase();
    serve = await startServe({ originUrl: database.url, poolMode, links: 4 });
  });

  beforeEach(async () => {
    await psql(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });

  afterAll(async () => {
    await serve?.stop();
    await database?.drop();
  });

  it.each(scenarios)('%s', async (name) => {
    const options = { timeoutMs: 60_000 };
    const said = await run(PYTHON, [scenariosPath, name, serve.url], options);
    expect(said).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
