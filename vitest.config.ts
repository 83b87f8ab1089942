import { defineConfig } from 'vitest/config';

/** A PostgreSQL of the system's, by the directory of its programs, in place of the embedded one. */
const server = process.env['MILLRACE_TEST_PG_BIN']
  ? 'test/e2e/support/installed-server.ts'
  : 'test/support/global-pg.ts';

/** A busy machine takes longer than the second that is vitest's default. */
const expect = { poll: { timeout: 10_000 } };

const pg = {
  expect,
  globalSetup: ['test/e2e/support/build.ts', server],
  testTimeout: 120_000,
  hookTimeout: 120_000,
  maxWorkers: 2,
  // After the tests that need nothing: tiers with other numbers of workers cannot mix.
  sequence: { groupOrder: 1 },
};

/** Needs psql, pgbench and psycopg, so it is there only when asked for: `MILLRACE_E2E=1`. */
const e2e = {
  test: {
    ...pg,
    name: 'e2e',
    sequence: { groupOrder: 2 },
    include: ['test/e2e/**/*.e2e.test.ts'],
  },
};

/** For a machine to count: the results as JSON in the file of that name. */
const report = process.env['MILLRACE_TEST_REPORT'];

/** Tiers by suffix: `.test.ts` needs nothing, `*.pg.test.ts` needs the embedded PostgreSQL. */
export default defineConfig({
  test: {
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        test: {
          expect,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.pg.test.ts', 'test/e2e/**'],
          testTimeout: 20_000,
        },
      },
      { test: { ...pg, name: 'pg', include: ['test/**/*.pg.test.ts'] } },
      ...(process.env['MILLRACE_E2E'] ? [e2e] : []),
    ],
  },
});
