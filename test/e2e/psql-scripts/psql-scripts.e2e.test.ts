import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothWays } from '../support/both-ways.ts';
import { run } from '../support/command.ts';

const scriptsDir = join(import.meta.dirname, 'scripts');
const scripts = readdirSync(scriptsDir).filter((name) => name.endsWith('.sql'));

/** Twice as many as there are connections. */
const CLIENTS = 6;

/** What each script must reach, so that two equal failures are not taken for a success. */
const LAST_WORDS: Readonly<Record<string, RegExp>> = {
  'commands.sql': /s0,public[\s\S]*\n {4}40\n\(1 row\)\n\n$/,
  'copy.sql': /\n1\n2\n +\?column\? +\n-+\n +3\n\(1 row\)\n\n$/,
  'errors.sql': / last\n\(1 row\)\n\nSELECT 1 \/ 0;\n$/,
  'large-objects.sql': /equal\n[\s\S]*\n {5}0\n\(1 row\)\n\n$/,
  'portions.sql': /COMMIT;\nCOMMIT\n$/,
  'watch.sql': /SELECT n FROM w;\n 0\n\n$/,
};

describe('scripts of psql, six at once over three connections', () => {
  let both: BothWays;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'millrace-psql-scripts-'));
    both = await BothWays.start();
  });

  afterAll(async () => {
    await both?.stop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  /** All that the clients print, each in a schema and a directory of its own. */
  async function clients(url: string, script: string) {
    const running = Array.from({ length: CLIENTS }, async (_, who) => {
      const scratch = await mkdtemp(join(dir, `${who}-`));
      const env = {
        SCRATCH: scratch,
        LC_ALL: 'C.UTF-8',
        PGTZ: 'UTC',
        PGOPTIONS: `-c search_path=s${who},public`,
      };
      const args = ['-X', '-a', '-f', script, '-d', url];
      return await run('psql', args, { env, cwd: scriptsDir });
    });
    return await Promise.all(running);
  }

  it.each(scripts)('%s', async (script) => {
    const schemas = Array.from({ length: CLIENTS }, (_, who) => `s${who}`);
    const prepare = schemas
      .map((name) => `DROP SCHEMA IF EXISTS ${name} CASCADE; CREATE SCHEMA ${name};`)
      .join('\n');
    const said = await both.compare((url) => clients(url, script), prepare);
    expect(said[0]?.stdout).toMatch(LAST_WORDS[script] ?? /^$/);
    // The one script that stops for good says so by its status.
    expect(said.map(({ code }) => code)).toEqual(said.map(() => (script === 'errors.sql' ? 3 : 0)));
  });
});
