/** One throw-away PostgreSQL for all files of the `pg` project; `pg.ts` has what tests use of it. */
import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { silentLog } from '../../src/base/log.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/embedded.ts';

declare module 'vitest' {
  // Only an interface can be added to from outside.
  interface ProvidedContext {
    readonly postgres: {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
    };
  }
}

let server: EmbeddedServer | null = null;

export async function setup(project: TestProject): Promise<void> {
  server = await startEmbedded({
    dataDir: '',
    port: 0,
    ephemeral: true,
    superuser: { user: 'postgres', password: randomBytes(12).toString('hex') },
    log: silentLog,
  });
  const { host, port, user, password } = server;
  project.provide('postgres', { host, port, user, password });
}

export async function teardown(): Promise<void> {
  await server?.stop();
}
