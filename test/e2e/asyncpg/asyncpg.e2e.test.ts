import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { BothWays, expectSuccess } from '../support/both-ways.ts';
import { run } from '../support/command.ts';

/** The interpreter that Debian's python3-asyncpg is installed for, not any that comes first. */
const PYTHON = '/usr/bin/python3';
const scenariosPath = join(import.meta.dirname, 'scenarios.py');

const scenarios = execFileSync(PYTHON, [scenariosPath], { encoding: 'utf8' }).trim().split('\n');

describe('asyncpg through three connections, as straight', () => {
  let both: BothWays;

  beforeAll(async () => {
    both = await BothWays.start();
  });

  afterAll(async () => {
    await both?.stop();
  });

  it.each(scenarios)('%s', async (name) => {
    expectSuccess(await both.compare((url) => run(PYTHON, [scenariosPath, name, url])));
  });
});
