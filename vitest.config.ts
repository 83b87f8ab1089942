import { defineConfig } from 'vitest/config';

/** Tiers by suffix: a plain `.test.ts` needs nothing, `*.pg.test.ts` needs the embedded PostgreSQL. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.pg.test.ts', 'test/e2e/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'pg',
          include: ['test/**/*.pg.test.ts'],
          exclude: ['test/e2e/**'],
          globalSetup: ['test/support/global-pg.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
