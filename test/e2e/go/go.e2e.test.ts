import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { BothWays, expectSuccess } from '../support/both-ways.ts';
import { run } from '../support/command.ts';
import { plainEnvironment } from '../support/program.ts';

const builds = mkdtempSync(join(tmpdir(), 'millrace-go-'));

/** With the sources of Debian's packages, and nothing from elsewhere. */
const environment = plainEnvironment({
  GO111MODULE: 'off',
  GOPATH: '/usr/share/gocode',
  GOFLAGS: '',
  GOCACHE: join(builds, 'cache'),
});

/** The program of a driver, and what it can do. */
function build(driver: string) {
  const program = join(builds, driver);
  const cwd = join(import.meta.dirname, driver);
  execFileSync('go', ['build', '-o', program], { env: environment, cwd });
  const names = execFileSync(program, { encoding: 'utf8' }).trim().split('\n').sort();
  return { driver, program, names };
}

afterAll(() => {
  rmSync(builds, { recursive: true, force: true });
});

describe.each(['pq', 'pgx'].map(build))(
  '$driver through three connections, as straight',
  ({ program, names }) => {
    let both: BothWays;

    beforeAll(async () => {
      both = await BothWays.start();
    });

    afterAll(async () => {
      await both?.stop();
    });

    it.each(names)('%s', async (name) => {
      const scenario = (url: string) => run(program, [name, `${url}?sslmode=disable`]);
      expectSuccess(await both.compare(scenario));
    });
  },
);
