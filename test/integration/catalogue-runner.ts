import type pg from 'pg';

/** Runs a statement as the gateway does: every column as text. */
export function runner(client: pg.Client): (sql: string) => Promise<(string | null)[][]> {
  return async (sql) => {
    const result = await client.query<(string | null)[]>({
      text: sql,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    } as unknown as pg.QueryArrayConfig);
    return result.rows;
  };
}
