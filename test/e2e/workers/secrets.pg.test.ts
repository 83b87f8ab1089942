/** Each worker gets at its credentials itself; what it needs for that comes in a message. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AwsStandIn } from '../../support/aws.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { WireClient } from '../../support/wire.ts';
import { Crew, workerOf } from './crew.ts';

const SECRET = 'shop';
const KEY = { id: 'AKIAWORKERS', secret: 'the key that signs for workers' };

let aws: AwsStandIn;
let database: TestDatabase;
let crew: Crew;
let rest = '';

beforeAll(async () => {
  database = await createDatabase();
  aws = await AwsStandIn.start();
  aws.keys.set(KEY.id, { secretKey: KEY.secret, session: null });
  const url = new URL(database.url);
  const [username, password] = [url.username, url.password].map(decodeURIComponent);
  aws.secrets.set(SECRET, { versionId: 'v1', text: JSON.stringify({ username, password }) });
  rest = `[[configurations]]
name = "secret"
origin_connection_limit = 6
[configurations.origin]
host = "${url.hostname}"
port = ${url.port}
database = "${database.name}"
auth = "secrets-manager"
secret_id = "${SECRET}"
aws_region = "eu-central-1"
[[configurations.credentials]]
user = "web"
password = "env:WEB_PASSWORD"
`;
  crew = await Crew.start(database, { rest }, 2, {
    AWS_ACCESS_KEY_ID: KEY.id,
    AWS_SECRET_ACCESS_KEY: KEY.secret,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url,
  });
});

afterAll(async () => {
  await crew?.serve.stop();
  aws?.close();
  await database?.drop();
});

const connectAll = (count: number): Promise<WireClient[]> =>
  Promise.all(
    Array.from({ length: count }, () => WireClient.connect({ ...crew.target, database: 'secret' })),
  );

const asked = (): number => aws.asked.filter((one) => one === 'GetSecretValue').length;

it('reads the secret of an origin once in each worker, however many connections there are', async () => {
  const clients = await connectAll(6);
  expect(clients.map(workerOf).toSorted()).toEqual([1, 1, 1, 2, 2, 2]);
  for (const client of clients) await client.ask('BEGIN');
  for (const client of clients) expect(await client.rows('SELECT 1')).toEqual([['1']]);
  expect(asked()).toBe(2);
  for (const client of clients) await client.end();
});

it('reads it no more when something else is reloaded', async () => {
  // Four more connections, which log in with what is kept.
  await crew.write({ links: 8, rest: rest.replace('limit = 6', 'limit = 10') });
  await crew.serve.program.says('stderr', /configuration reloaded/);
  const clients = await connectAll(10);
  for (const client of clients) await client.ask('BEGIN');
  expect(asked()).toBe(2);
  for (const client of clients) await client.end();
});

it('shows no worker the keys in its environment or arguments', () => {
  const pids = crew.workerPids();
  expect(pids).toHaveLength(2);
  for (const pid of pids) {
    const seen = ['environ', 'cmdline'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8'));
    for (const secret of [KEY.id, KEY.secret]) expect(seen.join('')).not.toContain(secret);
  }
});
