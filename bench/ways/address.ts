/** Where one connects to, and as whom. */
import { createServer } from 'node:net';

/** Everybody, pgbench and the poolers alike, logs in with this role and SCRAM. */
export type Login = { readonly user: string; readonly password: string };

/** Somewhere that pgbench can connect to. */
export type Address = { readonly port: number; readonly database: string };

/** The database that everything is measured against. */
export type Target = { readonly login: Login; readonly address: Address };

export const HOST = '127.0.0.1';

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
