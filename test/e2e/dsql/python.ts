/** The drivers of Python: psycopg, which is libpq, and asyncpg, which is its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWell } from '../support/command.ts';
import type { DsqlDev } from './dsql-dev.ts';

/** The interpreter that Debian's packages are installed for, not any that comes first. */
const PYTHON = '/usr/bin/python3';

const pathOf = (driver: string): string => join(import.meta.dirname, `${driver}_scenarios.py`);

/** The names of its scenarios, as they stand in the file. */
function scenariosOf(driver: string): string[] {
  const found = readFileSync(pathOf(driver), 'utf8').matchAll(/^(?:async )?def (\w+)\(table\):/gm);
  return [...found].map(([, name = '']) => name);
}

export function describePython(dev: () => DsqlDev): void {
  describe.each(['psycopg', 'asyncpg'])('%s', (driver) => {
    let outcomes: ReadonlyMap<string, string>;

    beforeAll(async () => {
      const { endpoint, host, port, ca_file: caFile } = dev().dsql;
      const place = { DSQL_HOST: endpoint, DSQL_ADDRESS: host, DSQL_PORT: String(port) };
      const login = { DSQL_CA: caFile, DSQL_INFO: dev().conninfo(), ...(await dev().libpqEnv()) };
      const said = await runWell(PYTHON, ['-B', pathOf(driver)], { env: { ...place, ...login } });
      const lines = said.trim().split('\n');
      outcomes = new Map(lines.map((line) => JSON.parse(line) as [string, string]));
    });

    // dsql §8.10
    it.each(scenariosOf(driver))('%s', (name) => {
      expect(outcomes.get(name)).toBe('ok');
    });
  });
}
