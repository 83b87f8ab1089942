/** What the processes of one run share: where the server is, and who one is there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Everybody, pgbench and the poolers alike, logs in with this role and SCRAM. */
export type Login = { readonly user: string; readonly password: string };

/** Somewhere that pgbench can connect to. */
export type Address = { readonly port: number; readonly database: string };

/** The database that everything is measured against. */
export type OriginPlace = { readonly login: Login; readonly address: Address };

export const HOST = '127.0.0.1';

/** A pooler at work. */
export type RunningPooler = {
  readonly pid: number;
  /** Where it pools with so many links. */
  addressOf(poolSize: number): Address;
  stop(): Promise<void>;
};

/** A port that was free a moment ago, for a program that cannot choose one. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('the system gave no port'));
      });
    });
  });
}

/** A directory for the configuration files, which hold the password: for its owner only. */
export class Scratch {
  readonly dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));

  path(name: string): string {
    return join(this.dir, name);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Name of the database, on a pooler, that pools with so many links. */
export function poolName(poolSize: number): string {
  return `pool${poolSize}`;
}
