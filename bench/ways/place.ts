/** What the processes of one run share: where the server is, and who one is there. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Everybody, pgbench and the poolers alike, logs in with this role and SCRAM. */
export type Login = { readonly user: string; readonly password: string };

/** Somewhere that pgbench can connect to. */
export type Address = { readonly port: number; readonly database: string };

/** The database that everything is measured against. */
export type OriginPlace = { readonly login: Login; readonly address: Address };

export const HOST = '127.0.0.1';

/** The repository, from where the compiled benchmark lies: `bench/results/.build/bench/ways`. */
export const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));

/** Processes of a pooler that uses all cores: two at least, so that any machine measures several. */
export const CORES = Math.max(2, availableParallelism());

/** A pooler at work. */
export type RunningPooler = {
  /** Its processes; the children of each belong to it too. */
  readonly pids: readonly number[];
  /** Where it pools with so many links. */
  addressOf(poolSize: number): Address;
  stop(): Promise<void>;
};

/** More than any case needs; each listener of a pooler takes so many clients. */
export const CLIENTS_MAX = 12_000;

/** The certificate and key that whoever offers TLS shows; those of the tests. */
export type TlsFiles = { readonly cert: string; readonly key: string };

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
  #count = 0;

  /** A name that nobody has had. */
  fresh(name: string): string {
    this.#count++;
    return this.path(`${this.#count}-${name}`);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Copies the certificate and key of the tests, so that an unprivileged program can read them. */
export function tlsFiles(scratch: Scratch): TlsFiles {
  const copied = (name: string): string => {
    const path = scratch.fresh(name);
    writeFileSync(path, readFileSync(join(ROOT, 'test/support/pki', name)), { mode: 0o600 });
    return path;
  };
  return { cert: copied('server.crt'), key: copied('server.key') };
}

/** Name of the database, on a pooler, that pools with so many links. */
export function poolName(poolSize: number): string {
  return `pool${poolSize}`;
}
