/**
 * One customer of the demo database, by `pg` or by `postgres`. A client for each request, as on
 * Cloudflare: the connections to the database stay warm behind the gateway.
 */
import pg from 'pg';
import postgres from 'postgres';

async function withPg({ connectionString }, id) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT id, name, town FROM customers WHERE id = $1', [id]);
    return rows[0];
  } finally {
    await client.end();
  }
}

async function withPostgres({ connectionString }, id) {
  // Without `fetch_types: false` this driver asks for the types of the database at every start.
  const sql = postgres(connectionString, { max: 1, fetch_types: false });
  try {
    const [row] = await sql`SELECT id, name, town FROM customers WHERE id = ${id}`;
    return row;
  } finally {
    await sql.end();
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const id = Number(url.searchParams.get('id') ?? 1);
    const find = url.pathname === '/postgres' ? withPostgres : withPg;
    const row = await find(env.HYPERDRIVE, id);
    return Response.json(row ?? { error: 'not found' }, { status: row ? 200 : 404 });
  },
};
