/**
 * An AWS Lambda function. `DATABASE_URL` is a connection string of Millrace, which stands in the
 * same VPC; opening a connection to it is cheap, so nothing has to survive between invocations.
 */
import pg from 'pg';

export async function handler(event) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  try {
    const id = Number(event.queryStringParameters?.id ?? 1);
    const { rows } = await client.query('SELECT id, name, town FROM customers WHERE id = $1', [id]);
    return { statusCode: rows.length > 0 ? 200 : 404, body: JSON.stringify(rows[0] ?? null) };
  } finally {
    await client.end();
  }
}
