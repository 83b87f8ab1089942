import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatVerifier } from '../../src/auth/scram-keys.ts';
import type { GatewayError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { mintVerifier } from '../../src/gateway/login/login-verifier.ts';
import { connectOrigin, type EstablishedLink, requestCancel } from '../../src/origin/connect.ts';
import { plainOrigin } from '../support/origin.ts';
import { superuserUrl } from '../support/pg.ts';
import { pki } from '../support/pki.ts';

/** Everything this file makes in the server begins so: roles, files, lines of pg_hba.conf. */
const PREFIX = `connect_${randomBytes(4).toString('hex')}`;
const OPTIONS = { connectTimeoutMs: 10_000, applicationName: 'millrace test', log: silentLog };
const PASSWORD = 'pass \u2168\u00adword\u00a0!';

let root: pg.Client;
let hbaFile: string;
let hbaBefore: string;

const role = (name: string): string => `${PREFIX}_${name}`;

function originAs(name: string, changes: Partial<OriginConfig> = {}): OriginConfig {
  return plainOrigin({
    host: '127.0.0.1',
    port: root.port,
    database: 'postgres',
    user: role(name),
    password: PASSWORD,
    ...changes,
  });
}

/** Writes a file of the server's as its own user, readable by nobody else. */
async function writeServerFile(path: string, text: string): Promise<void> {
  const lines = `unnest(string_to_array($text$${text.trimEnd()}$text$, E'\\n'))`;
  await root.query(`COPY (SELECT ${lines}) TO PROGRAM 'umask 077; cat > "${path}"'`);
}

async function reload(): Promise<void> {
  const { rows } = await root.query('SELECT pg_conf_load_time() AS at');
  await root.query('SELECT pg_reload_conf()');
  for (let waits = 0; waits < 200; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    const now = await root.query('SELECT pg_conf_load_time() AS at');
    if (String(now.rows[0].at) !== String(rows[0].at)) return;
  }
  throw new Error('the server did not reload');
}

/** The roles of this file and the only way each may come in. */
const RULES: readonly string[] = [
  'host all {scram} 127.0.0.1/32 scram-sha-256',
  'host all {verifier} 127.0.0.1/32 scram-sha-256',
  'host all {full} 127.0.0.1/32 scram-sha-256',
  'host all {md5} 127.0.0.1/32 md5',
  'host all {plain} 127.0.0.1/32 password',
  'host all {trusted} 127.0.0.1/32 trust',
  'hostssl all {tls_only} 127.0.0.1/32 scram-sha-256',
  'hostnossl all {plain_only} 127.0.0.1/32 scram-sha-256',
  'host all {tls_only} 127.0.0.1/32 reject',
  'host all {plain_only} 127.0.0.1/32 reject',
  'hostssl all {cert} 127.0.0.1/32 cert map=MAP',
];

beforeAll(async () => {
  root = new pg.Client({ connectionString: superuserUrl() });
  await root.connect();
  const shown = await root.query(
    "SELECT current_setting('hba_file') AS hba, current_setting('data_directory') AS dir, current_setting('ident_file') AS ident",
  );
  const { hba, dir, ident } = shown.rows[0];
  hbaFile = hba;
  hbaBefore = (await root.query('SELECT pg_read_file($1) AS text', [hba])).rows[0].text;
  const literal = pg.escapeLiteral(PASSWORD);
  for (const name of ['scram', 'plain', 'trusted', 'tls_only', 'plain_only', 'cert', 'full']) {
    await root.query(`CREATE ROLE ${role(name)} LOGIN PASSWORD ${literal}`);
  }
  await root.query(`ALTER ROLE ${role('full')} CONNECTION LIMIT 0`);
  await root.query("SET password_encryption = 'md5'");
  await root.query(`CREATE ROLE ${role('md5')} LOGIN PASSWORD ${literal}`);
  const verifier = formatVerifier(await mintVerifier(PASSWORD, { bytes: (n) => randomBytes(n) }));
  await root.query(`CREATE ROLE ${role('verifier')} LOGIN PASSWORD '${verifier}'`);
  const files: [string, string, string][] = [
    ['ssl_cert_file', 'server.crt', `${dir}/${PREFIX}.crt`],
    ['ssl_key_file', 'server.key', `${dir}/${PREFIX}.key`],
    ['ssl_ca_file', 'ca.crt', `${dir}/${PREFIX}.ca`],
  ];
  for (const [setting, name, path] of files) {
    await writeServerFile(path, pki(name));
    await root.query(`ALTER SYSTEM SET ${setting} = '${path}'`);
  }
  await root.query('ALTER SYSTEM SET ssl = on');
  await writeServerFile(ident, `${PREFIX} tls_client ${role('cert')}`);
  const lines = RULES.map((rule) =>
    rule.replace(/\{(\w+)\}/, (_all, name) => role(name)).replace('MAP', PREFIX),
  );
  await writeServerFile(hbaFile, `${lines.join('\n')}\n${hbaBefore.replaceAll('\t', ' ')}`);
  await reload();
});

afterAll(async () => {
  await writeServerFile(hbaFile, hbaBefore.replaceAll('\t', ' '));
  for (const setting of ['ssl', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file']) {
    await root.query(`ALTER SYSTEM RESET ${setting}`);
  }
  await reload();
  const made = await root.query('SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [
    PREFIX,
  ]);
  for (const { rolname } of made.rows) await root.query(`DROP ROLE ${rolname}`);
  await root.end();
});

/** Connects, hands the link to `use`, and closes it. */
async function linked<T>(
  origin: OriginConfig,
  use: (link: EstablishedLink) => T | Promise<T>,
): Promise<T> {
  const link = await connectOrigin(origin, OPTIONS);
  try {
    return await use(link);
  } finally {
    link.socket.destroy();
  }
}

/** Sends a simple query and reads to ReadyForQuery. */
function query(link: EstablishedLink, sql: string): Promise<string> {
  const body = Buffer.from(`${sql}\0`);
  const head = Buffer.from('Q\0\0\0\0');
  head.writeUInt32BE(body.length + 4, 1);
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    link.socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.subarray(-6).equals(Buffer.from('Z\0\0\0\x05I'))) resolve(answer.toString());
    });
    link.socket.write(Buffer.concat([head, body]));
    link.socket.resume();
  });
}

const failing = (origin: OriginConfig): Promise<GatewayError> =>
  linked(origin, () => {
    throw new Error('it connected');
  }).catch((error) => error as GatewayError);

const encryption = (origin: OriginConfig): Promise<boolean> =>
  linked(origin, ({ encrypted }) => encrypted);

describe('connectOrigin and PostgreSQL', () => {
  it.each(['scram', 'verifier', 'md5', 'trusted'])('logs in as the role "%s"', async (name) => {
    await linked(originAs(name), async (link) => {
      expect(link.processId).toBeGreaterThan(0);
      expect(link.secretKey.length).toBeGreaterThanOrEqual(4);
      expect(link.parameters.get('client_encoding')).toBe('UTF8');
      expect(link.parameters.get('application_name')).toBe('millrace test');
      expect(await query(link, 'SELECT current_user')).toContain(role(name));
    });
  });

  it('gives further startup parameters to the server', async () => {
    const parameters = { options: '-c search_path=a,\\ b', TimeZone: 'Asia/Tokyo' };
    const link = await connectOrigin(originAs('scram'), { ...OPTIONS, parameters });
    expect(link.parameters.get('TimeZone')).toBe('Asia/Tokyo');
    expect(await query(link, 'SHOW search_path')).toContain('a, b');
    link.socket.destroy();
  });

  it('tells a wrong password, a missing database and a full server apart', async () => {
    for (const name of ['scram', 'md5']) {
      expect(await failing(originAs(name, { password: 'wrong' }))).toMatchObject({
        code: 'MR_ORIGIN_AUTH',
        detail: `28P01: password authentication failed for user "${role(name)}"`,
      });
    }
    expect(await failing(originAs('scram', { database: 'no such' }))).toMatchObject({
      code: 'MR_ORIGIN_AUTH',
      detail: '3D000: database "no such" does not exist',
    });
    expect(await failing(originAs('full'))).toMatchObject({
      code: 'MR_ORIGIN_REJECTED',
      detail: expect.stringContaining('53300'),
    });
  });

  it('gives a cleartext password inside TLS only', async () => {
    expect(await failing(originAs('plain'))).toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    expect(await encryption(originAs('plain', { sslmode: 'require' }))).toBe(true);
    expect(await encryption(originAs('plain', { sslmode: 'allow' }))).toBe(true);
  });

  it('finds the way that the server allows, as sslmode allows', async () => {
    expect(await encryption(originAs('tls_only', { sslmode: 'allow' }))).toBe(true);
    expect(await encryption(originAs('tls_only', { sslmode: 'prefer' }))).toBe(true);
    expect(await encryption(originAs('plain_only', { sslmode: 'allow' }))).toBe(false);
    expect(await encryption(originAs('plain_only', { sslmode: 'prefer' }))).toBe(false);
    expect(await failing(originAs('tls_only'))).toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    expect(await failing(originAs('plain_only', { sslmode: 'require' }))).toMatchObject({
      code: 'MR_ORIGIN_AUTH',
    });
  });

  it('verifies the server and shows a certificate of its own', async () => {
    const ca = pki('ca.crt');
    expect(await encryption(originAs('scram', { sslmode: 'verify-full', ca }))).toBe(true);
    const distrusted = originAs('scram', { sslmode: 'verify-ca', ca: pki('other-ca.crt') });
    expect(await failing(distrusted)).toMatchObject({ code: 'MR_ORIGIN_TLS' });
    const certificate = { clientCert: pki('client.crt'), clientKey: pki('client.key') };
    const byCertificate = { sslmode: 'verify-ca', ca, password: null } as const;
    expect(await encryption(originAs('cert', { ...byCertificate, ...certificate }))).toBe(true);
    expect(await failing(originAs('cert', byCertificate))).toMatchObject({
      code: 'MR_ORIGIN_AUTH',
    });
  });
});

describe('channel binding and PostgreSQL', () => {
  it.each(['scram', 'verifier'])('binds the login of the role "%s"', async (name) => {
    for (const channelBinding of ['disable', 'prefer', 'require'] as const) {
      const origin = originAs(name, { sslmode: 'require', channelBinding });
      expect(await encryption(origin)).toBe(true);
    }
    const wrong = originAs(name, { sslmode: 'require', channelBinding: 'require', password: 'x' });
    expect((await failing(wrong)).detail).toContain('28P01');
  });

  it('takes nothing else where it is required', async () => {
    const required = { sslmode: 'require', channelBinding: 'require' } as const;
    for (const name of ['md5', 'plain', 'trusted']) {
      expect(await failing(originAs(name, required))).toMatchObject({
        code: 'MR_ORIGIN_AUTH',
        detail: 'channel binding is required, and the server does not ask for it',
      });
    }
    expect(await failing(originAs('scram', { channelBinding: 'require' }))).toMatchObject({
      detail: 'channel binding is required, and the connection allows none',
    });
  });
});

describe('TLS without a request and PostgreSQL', () => {
  it('is taken by 17 and later, and refused by others', async () => {
    const { rows } = await root.query("SELECT current_setting('server_version_num')::int AS n");
    const ca = pki('ca.crt');
    const origin = originAs('scram', { sslmode: 'verify-full', ca, sslnegotiation: 'direct' });
    if (rows[0].n < 170_000) {
      expect(await failing(origin)).toMatchObject({ code: 'MR_ORIGIN_TLS' });
      return;
    }
    expect(await encryption(origin)).toBe(true);
    expect(await encryption({ ...origin, channelBinding: 'require' })).toBe(true);
    await linked(origin, async (link) => {
      const answer = query(link, 'SELECT pg_sleep(30)');
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await requestCancel(origin, link, 5_000)).toBe('sent');
      expect(await answer).toContain('57014');
    });
  });
});

describe('requestCancel and PostgreSQL', () => {
  it.each(['disable', 'require'] as const)(
    'cancels a statement where sslmode is %s',
    async (sslmode) => {
      const origin = originAs('scram', { sslmode });
      await linked(origin, async (link) => {
        const began = performance.now();
        const answer = query(link, 'SELECT pg_sleep(30)');
        await new Promise((resolve) => setTimeout(resolve, 200));
        expect(await requestCancel(origin, link, 5_000)).toBe('sent');
        expect(await answer).toContain('57014');
        expect(performance.now() - began).toBeLessThan(10_000);
        expect(await query(link, 'SELECT 42')).toContain('42');
      });
    },
  );

  it('does nothing with a wrong key', async () => {
    const origin = originAs('scram');
    await linked(origin, async (link) => {
      const answer = query(link, 'SELECT pg_sleep(0.5)');
      const wrong = { ...link, secretKey: Buffer.from(link.secretKey).fill(0) };
      expect(await requestCancel(origin, wrong, 5_000)).toBe('sent');
      expect(await answer).not.toContain('57014');
    });
  });
});
