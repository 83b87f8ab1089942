/**
 * The model of the cache over two workers whose role at the origin changes: each role has a table
 * of its own under the same name, and a client must be told of that of the role it is.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { BoardFile } from '../../src/gateway/cache/board-file.ts';
import { WriteBoard } from '../../src/gateway/cache/write-board.ts';
import { Database } from '../../src/gateway/database.ts';
import { AwsStandIn } from '../support/aws.ts';
import { hits, randomOf } from '../support/cache-world.ts';
import { extended, simple } from '../support/cached.ts';
import { TestGateway } from '../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { logInBySecret } from '../support/secret-login.ts';
import { rowsOf, type WireClient } from '../support/wire.ts';

const SECRET = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:roles-AbCdEf';
const ROLES = ['one', 'two'].map((name) => `${name}_${randomBytes(4).toString('hex')}`);
/** What the second role counts begins here. */
const APART = 1_000_000;
const STEPS = 60;

let database: TestDatabase;
let file: BoardFile;
let gateways: TestGateway[] = [];
let direct: WireClient;
let aws: AwsStandIn;
let version = 0;

beforeAll(async () => {
  database = await createDatabase();
  aws = await AwsStandIn.start();
  aws.keys.set('AKIAROTATION', { secretKey: 'secret', session: null });
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAROTATION');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', aws.url);
  file = BoardFile.create(2);
  gateways = await Promise.all(
    [1, 2].map((number) => {
      const board = new WriteBoard(file, number);
      return TestGateway.start({ links: 3, caching: {}, board }, database);
    }),
  );
  direct = await (gateways[0] as TestGateway).connectDirect();
  for (const [at, role] of ROLES.entries()) {
    await direct.rows(`CREATE ROLE ${role} LOGIN; CREATE SCHEMA AUTHORIZATION ${role};
      CREATE TABLE ${role}.mine AS SELECT ${at * APART} AS n;
      ALTER TABLE ${role}.mine OWNER TO ${role}`);
  }
  await rotate(0);
  for (const gateway of gateways) await logInBySecret(gateway, SECRET);
});

afterAll(async () => {
  for (const gateway of gateways) await gateway.stop();
  for (const role of ROLES) await direct.rows(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  await direct.end();
  file.close();
  await database.drop();
  aws.close();
  vi.unstubAllEnvs();
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** From now on the secret is that of another role, and the one of before cannot log in. */
async function rotate(to: number): Promise<void> {
  const [username, before] = [ROLES[to], ROLES[1 - to]] as [string, string];
  const password = `secret${++version}`;
  aws.secrets.set(SECRET, {
    versionId: `v${version}`,
    text: JSON.stringify({ username, password }),
  });
  await direct.rows(`ALTER ROLE ${username} PASSWORD '${password}'`);
  await direct.rows(`ALTER ROLE ${before} PASSWORD 'none${version}'`);
  await direct.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${before}'`,
  );
}

/** A client whose link is of the role: who gets a link that has just been cut off comes again. */
async function connectAs(gateway: TestGateway, role: number): Promise<WireClient> {
  let client: WireClient | null = null;
  const userOf = async (): Promise<string | null | undefined> => {
    await client?.end();
    client = await gateway.connect();
    return await client.rows('SELECT session_user').then(
      (rows) => rows[0]?.[0],
      () => null,
    );
  };
  await expect.poll(userOf, { timeout: 10_000 }).toBe(ROLES[role]);
  return client as unknown as WireClient;
}

/** Clients of both workers read and write what is theirs; what was not, or too old. */
async function runAs(role: number, seed: number): Promise<string[]> {
  const clients: WireClient[] = [];
  for (const at of [0, 1, 0, 1]) clients.push(await connectAs(gateways[at] as TestGateway, role));
  const random = randomOf(seed);
  const violations: string[] = [];
  let known = role * APART;
  const step = async (client: WireClient): Promise<void> => {
    const least = known;
    if (random(100) < 10) {
      await client.rows('UPDATE mine SET n = n + 1');
      known = Math.max(known, least + 1);
      return;
    }
    const sql = 'SELECT n FROM mine';
    client.send(random(2) === 0 ? simple(sql) : extended(sql));
    const value = Number(rowsOf(await client.readReady())[0]?.[0]);
    if (value < least || value >= (role + 1) * APART) violations.push(`${value} for ${least}`);
    else known = Math.max(known, value);
  };
  const act = async (client: WireClient): Promise<void> => {
    for (let n = 0; n < STEPS; n++) await step(client);
  };
  await Promise.all(clients.map(act));
  for (const client of clients) await client.end();
  return violations;
}

async function runTurns(turns: number): Promise<string[]> {
  const violations: string[] = [];
  for (let turn = 0; turn < turns; turn++) {
    await direct.rows(`UPDATE ${ROLES[0]}.mine SET n = 0`);
    await direct.rows(`UPDATE ${ROLES[1]}.mine SET n = ${APART}`);
    await rotate(turn % 2);
    violations.push(...(await runAs(turn % 2, turn + 1)));
  }
  return violations;
}

describe('clients whose role changes by a rotation', () => {
  it('are told what is of their role, and nothing older than what is known', async () => {
    expect(await runTurns(6)).toEqual([]);
    // A cache that answers nothing would be right, too.
    expect(await hits(gateways)).toBeGreaterThan(50);
  });
});

describe('the model finds out', () => {
  it('a role that is missing from the key', async () => {
    vi.spyOn(Database.prototype, 'originUser', 'get').mockReturnValue('anybody');
    expect((await runTurns(6)).length).toBeGreaterThan(0);
  });
});
