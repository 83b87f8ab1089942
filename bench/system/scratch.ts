/** Files of one run, which nobody else can read and which are gone afterwards. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './root.ts';

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

/** The certificate and key that whoever offers TLS shows; those of the tests. */
export type TlsFiles = { readonly cert: string; readonly key: string };

/** Copies the certificate and key of the tests, so that an unprivileged program can read them. */
export function tlsFiles(scratch: Scratch): TlsFiles {
  const copied = (name: string): string => {
    const path = scratch.fresh(name);
    writeFileSync(path, readFileSync(join(ROOT, 'test/support/pki', name)), { mode: 0o600 });
    return path;
  };
  return { cert: copied('server.crt'), key: copied('server.key') };
}
