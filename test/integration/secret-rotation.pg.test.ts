import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { AwsStandIn } from '../support/aws.ts';
import { TestGateway } from '../support/gateway.ts';
import { superuserUrl } from '../support/pg.ts';
import { logInBySecret } from '../support/secret-login.ts';

const SECRET = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:rotated-AbCdEf';
const SHOP = `shop_${randomBytes(4).toString('hex')}`;
const CLONE = `${SHOP}_clone`;

let root: pg.Client;
let aws: AwsStandIn;
let gateway: TestGateway;

beforeAll(async () => {
  root = new pg.Client({ connectionString: superuserUrl() });
  await root.connect();
  for (const user of [SHOP, CLONE]) await root.query(`CREATE ROLE ${user} LOGIN PASSWORD 'first'`);
  aws = await AwsStandIn.start();
  aws.keys.set('AKIAROTATION', { secretKey: 'secret', session: null });
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAROTATION');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', aws.url);
  gateway = await TestGateway.start({ links: 2 });
});

afterAll(async () => {
  await gateway.stop();
  for (const user of [SHOP, CLONE]) await root.query(`DROP ROLE ${user}`);
  await root.end();
  aws.close();
  vi.unstubAllEnvs();
});

function put(versionId: string, username: string, password: string): void {
  aws.secrets.set(SECRET, { versionId, text: JSON.stringify({ username, password }) });
}

it('moves sessions to the other user when a rotation alternates, and pins nobody', async () => {
  put('v1', SHOP, 'first');
  await logInBySecret(gateway, SECRET);
  const first = await gateway.connect();
  const lost = await gateway.connect();
  // Both links that there may be are in use, by the user of before.
  for (const client of [first, lost]) {
    await client.ask('BEGIN');
    expect(await client.rows('SELECT session_user')).toEqual([[SHOP]]);
  }
  const [[pid]] = (await lost.rows('SELECT pg_backend_pid()')) as [[string]];
  put('v2', CLONE, 'second');
  await root.query(`ALTER ROLE ${CLONE} PASSWORD 'second'`);
  await root.query(`ALTER ROLE ${SHOP} PASSWORD 'third'`);
  await root.query('SELECT pg_terminate_backend($1)', [pid]);
  await lost.readToEnd();
  // The link in its place is the other user's; who is in a transaction keeps the old one.
  const second = await gateway.connect();
  expect(await second.rows('SELECT session_user')).toEqual([[CLONE]]);
  expect(await first.rows('SELECT session_user')).toEqual([[SHOP]]);
  await first.ask('COMMIT');
  // Two links at once: the old one is not among them any more.
  for (const client of [first, second]) {
    await client.ask('BEGIN');
    expect(await client.rows('SELECT session_user')).toEqual([[CLONE]]);
  }
  for (const client of [first, second]) await client.ask('COMMIT');
  // A statement after which the server is asked what is left on the link.
  await second.ask("DO $$BEGIN PERFORM set_config('work_mem', '5MB', false); END$$");
  expect(await first.rows('SELECT session_user')).toEqual([[CLONE]]);
  expect(await first.rows('SHOW millrace.pins')).toEqual([]);
  await first.end();
  await second.end();
});
