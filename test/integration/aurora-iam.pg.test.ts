/** Tokens of IAM at the Aurora stand-in, minted and shown by the gateway's own way to an origin. */
import type { Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { AuroraCluster, type AuroraInstance } from '../../src/embedded/aurora/aurora-cluster.ts';
import { AURORA_REGION } from '../../src/embedded/aurora/endpoints.ts';
import { SocketReader } from '../../src/net/socket-reader.ts';
import { connectOrigin, type EstablishedLink, requestCancel } from '../../src/origin/connect.ts';
import { OriginRejection } from '../../src/origin/login.ts';
import { originOf, startGateway } from '../support/aurora.ts';
import { IamFronts, type IamOptions } from '../support/iam-front.ts';
import { plainOrigin } from '../support/origin.ts';
import { query } from '../support/wire-messages.ts';

const KEY_ID = 'AKIAGATEWAY';
const APP = { user: 'app', password: 'app-of-the-test' };
const NOBODY = { profile: null, roleArn: null, externalId: null };

const KEYS: IamOptions['accessKeys'] = new Map([
  [KEY_ID, { secretKey: 'gateway-secret', session: null }],
]);
/** May be changed, since the fronts look at it at each login. */
const options: { -readonly [K in keyof IamOptions]: IamOptions[K] } = { accessKeys: KEYS };
const fronts = new IamFronts(options);
let cluster: AuroraCluster;

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', KEY_ID);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'gateway-secret');
  cluster = await AuroraCluster.start({
    superuser: { user: 'rdsadmin', password: 'adm1n-of-the-test' },
    demo: APP,
    delays: { dnsMs: 0, promotionMs: 0 },
    front: fronts.make,
    instances: 2,
    log: silentLog,
  });
  const { user, password } = cluster.superuser;
  const client = new pg.Client({ ...at(cluster.writer.address), user, password });
  await client.connect();
  await client.query('CREATE ROLE gateway LOGIN; GRANT rds_iam TO gateway');
  await client.end();
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await cluster?.stop();
});

beforeEach(() => {
  options.accessKeys = KEYS;
  options.acceptsClusterTokens = false;
  fronts.logins.splice(0);
});

const at = (host: string) => ({ host, port: cluster.port, database: 'demo' });

/** To `host`, with a token for `iamHost`. */
function originAt(host: string, iamHost = host, changes: Partial<OriginConfig> = {}): OriginConfig {
  return plainOrigin({
    ...at(host),
    kind: 'aurora',
    dnsServers: [cluster.dnsServer],
    user: 'gateway',
    password: null,
    auth: {
      method: 'rds-iam',
      host: iamHost,
      port: cluster.port,
      region: AURORA_REGION,
      ...NOBODY,
    },
    sslmode: 'verify-full',
    ca: cluster.ca,
    ...changes,
  });
}

const connected = (origin: OriginConfig): Promise<EstablishedLink> =>
  connectOrigin(origin, { connectTimeoutMs: 5_000, applicationName: '', log: silentLog });

/** What the server says to a statement, up to ReadyForQuery. */
async function answer(socket: Socket, sql: string): Promise<string> {
  const reader = new SocketReader(socket, AbortSignal.timeout(5_000));
  socket.write(query(sql));
  const heard: string[] = [];
  for (let code = 0; code !== 0x5a; ) {
    const message = await reader.message(() => 30_000);
    if (message === null) throw new Error('gone');
    code = message.code;
    heard.push(message.body.toString('latin1'));
  }
  reader.release();
  return heard.join('\n');
}

/** `in`, or what the server answered the login with. */
async function outcome(origin: OriginConfig): Promise<string> {
  try {
    const { socket } = await connected(origin);
    socket.destroy();
    return 'in';
  } catch (error) {
    return error instanceof OriginRejection ? `${error.sqlstate} ${error.text}` : String(error);
  }
}

const REFUSED = '28000 PAM authentication failed for user "gateway"';

describe('a member of rds_iam', () => {
  it('logs in by a token for the endpoint that it connects to', async () => {
    const { writer, writerEndpoint, readerEndpoint } = cluster;
    for (const host of [writerEndpoint, readerEndpoint, writer.host]) {
      const { socket, encrypted } = await connected(originAt(host));
      expect(encrypted).toBe(true);
      expect(await answer(socket, 'SELECT current_user')).toContain('gateway');
      socket.destroy();
    }
    const direct = originAt(writer.host, writer.host, { sslnegotiation: 'direct' });
    expect(await outcome(direct)).toBe('in');
    expect(fronts.logins.every(({ isIn }) => isIn)).toBe(true);
  });

  // Who goes on to an instance with the token of the cluster has to mint another one.
  it('is refused with a token for another endpoint, unless the front takes those', async () => {
    const { writer, writerEndpoint } = cluster;
    expect(await outcome(originAt(writer.host, writerEndpoint))).toBe(REFUSED);
    expect(await outcome(originAt(writerEndpoint, writer.host))).toBe(REFUSED);
    options.acceptsClusterTokens = true;
    expect(await outcome(originAt(writer.host, writerEndpoint))).toBe('in');
    expect(fronts.logins.map(({ isIn }) => isIn)).toEqual([false, false, true]);
  });

  it('is refused with anything else, by the same words', async () => {
    const { host } = cluster.writer;
    const auth = originAt(host).auth as OriginConfig['auth'] & { method: 'rds-iam' };
    const wrong = [
      originAt(host, host, { auth: { ...auth, port: 5432 } }),
      originAt(host, host, { auth: { ...auth, region: 'us-east-2' } }),
      originAt(host, host, { auth: { method: 'password' }, password: 'a password' }),
    ];
    for (const origin of wrong) expect(await outcome(origin)).toBe(REFUSED);
    // Signed by somebody whose key is another one by now, or who has none any more.
    options.accessKeys = new Map([[KEY_ID, { secretKey: 'another-secret', session: null }]]);
    expect(await outcome(originAt(host))).toBe(REFUSED);
    options.accessKeys = new Map();
    expect(await outcome(originAt(host))).toBe(REFUSED);
  });

  it('must use TLS', async () => {
    const origin = originAt(cluster.writer.host, undefined, {
      sslmode: 'disable',
      auth: { method: 'password' },
      password: 'x',
    });
    expect(await outcome(origin)).toMatch(
      /^28000 no pg_hba.conf entry for host "127.*", user "gateway", database "demo", no encryption$/,
    );
  });

  it('can cancel what it does', async () => {
    const origin = originAt(cluster.writerEndpoint);
    const link = await connected(origin);
    const said = answer(link.socket, 'SELECT pg_sleep(30)');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await requestCancel(origin, link, 5_000)).toBe('sent');
    expect(await said).toContain('57014');
    link.socket.destroy();
  });

  it('finds the front where the instances are after a failover', async () => {
    const { writer: old, writerEndpoint } = cluster;
    const { socket } = await connected(originAt(writerEndpoint));
    const ended = new Promise((resolve) => socket.resume().once('close', resolve));
    await cluster.failover();
    await ended;
    const { writer } = cluster;
    expect(writer.name).not.toBe(old.name);
    fronts.logins.splice(0);
    expect(await outcome(originAt(writerEndpoint))).toBe('in');
    expect(await outcome(originAt(old.host))).toBe('in');
    expect(fronts.logins.map(({ instance }) => instance)).toEqual([writer.name, old.name]);
  });

  it('is not answered by a frozen instance, nor by a dead one', async () => {
    const [reader] = cluster.instances.filter(({ isWriter }) => !isWriter) as [AuroraInstance];
    await cluster.freeze(reader.name);
    const impatient = connectOrigin(originAt(reader.host), {
      connectTimeoutMs: 300,
      applicationName: '',
      log: silentLog,
    });
    await expect(impatient).rejects.toMatchObject({ code: 'MR_ORIGIN_TIMEOUT' });
    await cluster.thaw(reader.name);
    expect(await outcome(originAt(reader.host))).toBe('in');
    const { socket } = await connected(originAt(reader.host));
    const ended = new Promise((resolve) => socket.resume().once('close', resolve));
    await cluster.crash(reader.name);
    await ended;
    await cluster.settled();
    expect(await outcome(originAt(reader.host))).toBe('in');
  });
});

describe('who is no member of rds_iam', () => {
  it('logs in with a password, as if nothing stood before the server', async () => {
    const changes = { ...APP, auth: { method: 'password' } } as const;
    for (const sslmode of ['verify-full', 'disable'] as const) {
      const host = cluster.writerEndpoint;
      expect(await outcome(originAt(host, host, { ...changes, sslmode }))).toBe('in');
      const wrong = originAt(host, host, { ...changes, sslmode, password: 'wrong' });
      expect(await outcome(wrong)).toBe('28P01 password authentication failed for user "app"');
    }
    expect(fronts.logins).toEqual([]);
  });
});

describe('the gateway', () => {
  it('shows each node a token that was signed for it, and clients hear nothing of that', async () => {
    const origin = { ...originAt(cluster.writerEndpoint), ...originOf(cluster) };
    const gateway = await startGateway(cluster, { origin });
    const client = await gateway.connect();
    const who = 'SELECT current_user, pg_catalog.aurora_db_instance_identifier()';
    const before = cluster.writer.name;
    expect(await client.rows(who)).toEqual([['gateway', before]]);
    await expect.poll(() => client.rows('SHOW millrace.pins')).toEqual([]);
    await cluster.failover();
    await expect.poll(() => client.rows(who)).not.toEqual([['gateway', before]]);
    expect(await client.rows(who)).toEqual([['gateway', cluster.writer.name]]);
    expect(fronts.logins.length).toBeGreaterThanOrEqual(3);
    expect(fronts.logins.every(({ isIn }) => isIn)).toBe(true);
    await client.end();
    await gateway.stop();
  }, 30_000);
});
