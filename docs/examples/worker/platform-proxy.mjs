/** A Node program, such as a framework's development server, with the bindings of wrangler.jsonc. */
import pg from 'pg';
import { getPlatformProxy } from 'wrangler';

const { env, dispose } = await getPlatformProxy();
const client = new pg.Client({ connectionString: env.HYPERDRIVE.connectionString });
await client.connect();
try {
  const { rows } = await client.query('SELECT id, name, town FROM customers WHERE id = $1', [7]);
  console.log(JSON.stringify(rows[0]));
} finally {
  await client.end();
  await dispose();
}
