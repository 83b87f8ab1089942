import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { BothWays, expectSuccess } from '../support/both-ways.ts';
import { type CommandResult, run } from '../support/command.ts';

/** Where Debian's libpostgresql-jdbc-java has the driver. */
const DRIVER = '/usr/share/java/postgresql.jar';

const classes = mkdtempSync(join(tmpdir(), 'millrace-jdbc-'));
const sources = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.java'));
execFileSync('javac', ['-cp', DRIVER, '-d', classes, ...sources], { cwd: import.meta.dirname });

/** Quick to start, and with few threads of its own: it lives for a second. */
const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];
const java = [...quick, '-cp', [DRIVER, classes].join(delimiter), 'Scenarios'];

const scenarios = execFileSync('java', java, { encoding: 'utf8' }).trim().split('\n');

/** The driver wants user and password apart from the address. */
function jdbcUrl(url: string): string {
  const { host, pathname, username, password } = new URL(url);
  return `jdbc:postgresql://${host}${pathname}?user=${username}&password=${password}`;
}

describe('pgJDBC through three connections, as straight', () => {
  let both: BothWays;

  beforeAll(async () => {
    both = await BothWays.start();
  });

  afterAll(async () => {
    await both?.stop();
    rmSync(classes, { recursive: true, force: true });
  });

  it.each(scenarios)('%s', async (name) => {
    const scenario = (url: string): Promise<CommandResult> =>
      run('java', [...java, name, jdbcUrl(url)]);
    expectSuccess(await both.compare(scenario));
  });
});
