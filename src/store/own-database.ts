/**
 * A database for the store on a server whose superuser we are: a role of its own owns it, and
 * nobody else may connect to it.
 */
import pg from 'pg';
import type { StoreAddress } from './connection.ts';

export const STORE_DATABASE = 'millrace_store';
export const STORE_ROLE = 'millrace_store';

/**
 * Makes role and database when they are missing, and gives the role this password.
 * @throws what the server or the network says
 */
export async function prepareStoreDatabase(
  superuser: { host: string; port: number; user: string; password: string },
  password: string,
): Promise<StoreAddress> {
  const { host, port } = superuser;
  const client = new pg.Client({ ...superuser, database: 'postgres' });
  // What waits for an answer is told as well; an event that nobody hears would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    const role = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [STORE_ROLE]);
    if (role.rowCount === 0) await client.query(`CREATE ROLE ${STORE_ROLE}`);
    const attributes = 'LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE';
    const quoted = client.escapeLiteral(password);
    await client.query(`ALTER ROLE ${STORE_ROLE} ${attributes} PASSWORD ${quoted}`);
    const found = await client.query('SELECT FROM pg_database WHERE datname = $1', [
      STORE_DATABASE,
    ]);
    if (found.rowCount === 0) {
      await client.query(`CREATE DATABASE ${STORE_DATABASE} OWNER ${STORE_ROLE}`);
    }
    await client.query(`REVOKE ALL ON DATABASE ${STORE_DATABASE} FROM PUBLIC`);
  } finally {
    await client.end();
  }
  return {
    host,
    port,
    database: STORE_DATABASE,
    user: STORE_ROLE,
    password,
    sslmode: 'disable',
    ca: null,
    clientCert: null,
    clientKey: null,
  };
}
