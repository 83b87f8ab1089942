/** A plain Node server. It may have many more connections to Millrace than the database allows. */
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 100 });
// A connection that breaks while nobody uses it is no reason to end.
pool.on('error', (error) => console.error(error.message));

createServer(async (request, response) => {
  try {
    const id = Number(new URL(request.url, 'http://localhost').searchParams.get('id') ?? 1);
    const { rows } = await pool.query('SELECT id, name, town FROM customers WHERE id = $1', [id]);
    response.writeHead(rows.length > 0 ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(rows[0] ?? null));
  } catch (error) {
    response.writeHead(503).end(error.message);
  }
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
