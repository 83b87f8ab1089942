import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWell } from '../support/command.ts';
import { millrace, type Program, plainEnvironment, ROOT } from '../support/program.ts';

const REGION = 'eu-central-1';
const TOKEN = randomBytes(24).toString('hex');
const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'dsql:DbConnectAdmin', Resource: '*' }],
});

let dir: string;
let program: Program;
let port: number;
let apiUrl: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-dsql-'));
  const text = `
[[listeners]]
port = 0
[store]
data_dir = "store"
[api]
port = 0
token = "env:API_TOKEN"
[dsql]
address = "127.0.0.1"
port = 0
region = "${REGION}"
`;
  await writeFile(join(dir, 'millrace.toml'), text);
  await start();
});

afterAll(async () => {
  if (program?.isRunning) await program.stop();
  await rm(dir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  program = millrace(['serve', '--config', 'millrace.toml'], {
    cwd: dir,
    env: plainEnvironment({ API_TOKEN: TOKEN }),
  });
  const said = await program.says('stderr', /"port":(\d+)[^\n]*the DSQL endpoint listens/);
  port = Number(said[1]);
  apiUrl = (await program.says('stderr', /"url":"([^"]+)"[^\n]*the API listens/))[1] ?? '';
}

async function cli(...words: string[]): Promise<string> {
  const main = join(ROOT, 'dist/main.js');
  const env = { MILLRACE_API_URL: apiUrl, MILLRACE_API_TOKEN: TOKEN };
  return await runWell(process.execPath, [main, ...words], { env });
}

const json = async <T>(...words: string[]): Promise<T> =>
  JSON.parse(await cli(...words, '--json')) as T;

type Key = { readonly id: string; readonly secret_access_key: string };

async function ask(host: string, key: Key, text: string): Promise<unknown[]> {
  const credentials = {
    accessKeyId: key.id,
    secretAccessKey: key.secret_access_key,
  };
  const signer = new DsqlSigner({ hostname: host, region: REGION, credentials });
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'admin',
    database: 'postgres',
    password: await signer.getDbConnectAdminAuthToken(),
    ssl: { ca: await readFile(join(dir, 'millrace-dsql/dsql-ca.pem')), servername: host },
  });
  await client.connect();
  const { rows } = await client.query(text);
  await client.end();
  return rows;
}

describe('serve with [dsql]', () => {
  // dsql §8.8
  it('makes a cluster that is there with its data after the next start', async () => {
    await cli('iam', 'user', 'create', 'ann');
    await cli('iam', 'policy', 'put', 'all', '--user', 'ann', '--document', POLICY);
    const key = await json<Key>('iam', 'key', 'create', 'ann');
    const { id } = await json<{ id: string }>('cluster', 'create');
    const host = `${id}.dsql.${REGION}.on.aws`;
    const status = async () => (await json<{ status: string }>('cluster', 'get', id)).status;
    await expect.poll(status, { timeout: 60_000, interval: 500 }).toBe('ACTIVE');
    await ask(host, key, 'CREATE TABLE t (id int PRIMARY KEY)');
    await ask(host, key, 'INSERT INTO t VALUES (1)');
    expect((await program.stop()).code).toBe(0);
    await start();
    const rows = async () => ask(host, key, 'SELECT id FROM t').catch(({ code }) => code);
    await expect.poll(rows, { timeout: 60_000, interval: 500 }).toEqual([{ id: 1 }]);
    await cli('cluster', 'delete', id);
    const gone = async () => (await json<unknown[]>('cluster', 'list')).length;
    await expect.poll(gone, { timeout: 60_000, interval: 500 }).toBe(0);
    expect(program.stderr).not.toContain(key.secret_access_key);
  });
});
