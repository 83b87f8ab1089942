/** The connection contract: reference rows of "Connection" and "Connection-time errors". */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSslRequest, encodeStartup } from '../../../src/protocol/startup.ts';
import { CLUSTER_ID, TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;

beforeAll(async () => {
  test = await TestEndpoint.start({ connectionsMax: 20, perSecond: 1_000, burst: 1_000 });
  await test.addRole('app');
});

afterAll(async () => {
  await test?.stop();
});

/** What a raw connection is told in answer to a startup packet, as text. */
async function raw(socket: TLSSocket | ReturnType<typeof connectTcp>): Promise<string> {
  const parameters = new Map([
    ['user', 'admin'],
    ['database', 'postgres'],
  ]);
  socket.on('error', () => {});
  socket.write(encodeStartup(parameters));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    // A request for the password: it is let in so far.
    if ((chunk as Buffer)[0] === 0x52) break;
  }
  socket.destroy();
  return Buffer.concat(chunks).toString('latin1');
}

const direct = (options: { servername?: string; ALPNProtocols?: string[] }) =>
  new Promise<TLSSocket>((resolve, reject) => {
    const { port } = test.endpoint;
    const ca = test.authority.cert;
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      ca,
      rejectUnauthorized: false,
      ...options,
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });

const denied = (hint: unknown) => ({
  code: '08006',
  severity: 'FATAL',
  message: 'unable to accept connection, access denied',
  hint,
});

describe('the way to a cluster', () => {
  // dsql §1.6, §1.45
  it('is TLS: a connection without it is refused', async () => {
    const { port } = test.endpoint;
    expect(await raw(connectTcp(port, '127.0.0.1'))).toContain('requires a connection with TLS');
    const config = { ...(await test.config()), ssl: false };
    const plain = new pg.Client(config);
    plain.on('error', () => {});
    expect(await told(plain.connect())).toMatchObject({ code: '28000', severity: 'FATAL' });
  });

  // dsql §1.8
  it('is TLS by a request, as classic clients do', async () => {
    const { port } = test.endpoint;
    const socket = connectTcp(port, '127.0.0.1');
    socket.write(encodeSslRequest());
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(answer.toString()).toBe('S');
    const ca = test.authority.cert;
    const secure = connectTls({ socket, ca, servername: test.host });
    expect((await raw(secure))[0]).toBe('R');
  });

  // dsql §1.7, §1.9
  it('is TLS at once with the ALPN protocol postgresql, and only with it', async () => {
    const servername = test.host;
    const socket = await direct({ servername, ALPNProtocols: ['postgresql'] });
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect((await raw(socket))[0]).toBe('R');
    const silent = await direct({ servername });
    expect(await raw(silent)).toBe('');
  });

  // dsql §1.1, §1.6
  it('has a certificate for every cluster of the region', async () => {
    const socket = await direct({ servername: test.host, ALPNProtocols: ['postgresql'] });
    expect(socket.authorized).toBe(true);
    socket.destroy();
  });

  // dsql §1.15
  it('asks for the password in clear text inside TLS', async () => {
    const socket = await direct({ servername: test.host, ALPNProtocols: ['postgresql'] });
    expect(await raw(socket)).toBe('R\0\0\0\x08\0\0\0\x03');
  });

  // dsql §1.11
  it('is closed to who sends no name in TLS', async () => {
    const socket = await direct({ ALPNProtocols: ['postgresql'] });
    const answer = await raw(socket);
    expect(answer).toContain('SFATAL\0');
    expect(answer).toContain('C08006\0');
    expect(answer).toContain('Munable to accept connection, sni was not received\0');
  });

  // dsql §1.12
  it('is found by amzn-cluster-id where the name of the host says nothing', async () => {
    const wish = { servername: 'localhost', options: `-c amzn-cluster-id=${CLUSTER_ID}` };
    const client = await test.connect(wish);
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    expect(await told(test.connect({ servername: 'localhost' }))).toMatchObject(
      denied('There is no cluster of that name here.'),
    );
  });

  // dsql §1.4, §1.44
  it('leads to the database postgres only', async () => {
    expect(await told(test.connect({ database: 'other' }))).toMatchObject({
      code: '3D000',
      severity: 'FATAL',
      message: 'database "other" does not exist',
    });
  });
});

describe('a login', () => {
  // dsql §1.17, §1.19
  it('tells the parameters of PostgreSQL 16, and that nobody is a superuser', async () => {
    const client = new pg.Client(await test.config({ applicationName: 'naïve' }));
    const parameters: Record<string, string> = {};
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
      parameters[parameterName] = parameterValue;
    });
    await client.connect();
    expect(parameters).toEqual({
      application_name: 'na?ve',
      client_encoding: 'UTF8',
      DateStyle: 'ISO, MDY',
      default_transaction_read_only: 'off',
      in_hot_standby: 'off',
      integer_datetimes: 'on',
      IntervalStyle: 'postgres',
      is_superuser: 'off',
      server_encoding: 'UTF8',
      server_version: '16.15',
      session_authorization: 'admin',
      standard_conforming_strings: 'on',
      TimeZone: 'UTC',
    });
    const seen = await client.query(
      `SELECT current_setting('server_version') AS version,
              current_setting('application_name') AS name, current_setting('TimeZone') AS zone`,
    );
    expect(seen.rows).toEqual([{ version: '16.15', name: 'na?ve', zone: 'UTC' }]);
    await client.end();
  });

  // dsql §2.11, §3.2
  it('is that of a role that an identity is associated with', async () => {
    const client = await test.connect({ user: 'app', signer: 'app' });
    const { rows } = await client.query('SELECT current_user, session_user');
    expect(rows).toEqual([{ current_user: 'app', session_user: 'app' }]);
  });

  // dsql §1.41
  it('is refused for a role that there is not', async () => {
    expect(await told(test.connect({ user: 'nobody', signer: 'app' }))).toMatchObject({
      code: '28000',
      severity: 'FATAL',
      message: 'Role nobody does not exist',
    });
  });

  // dsql §1.42
  it('is refused for an identity that the role is not associated with', async () => {
    expect(await told(test.connect({ user: 'app' }))).toMatchObject(
      denied(expect.stringContaining('no association')),
    );
  });

  // dsql §1.43
  it('is refused for a role without LOGIN', async () => {
    const admin = await test.connect();
    await admin.query('CREATE ROLE silent');
    expect(await told(test.connect({ user: 'silent', signer: 'app' }))).toMatchObject(
      denied(expect.stringContaining('role silent must have the LOGIN attribute')),
    );
  });

  // dsql §1.5, §1.41, §3.13
  it('is refused for the superuser of the PostgreSQL below, and for its own roles', async () => {
    for (const user of ['postgres', 'pg_monitor', 'pg_read_all_data']) {
      const answer = await told(test.connect({ user, signer: 'root' }));
      expect(answer).toMatchObject({ code: '28000', message: `Role ${user} does not exist` });
    }
  });

  // dsql §1.36, §2.11
  it('is refused with a token for the other class of roles', async () => {
    const password = await test.token({ user: 'app' });
    expect(await told(test.connect({ password }))).toMatchObject(
      denied('Wrong user to action mapping. user: admin, action: DbConnect'),
    );
    const asAdmin = await test.token();
    expect(await told(test.connect({ user: 'app', password: asAdmin }))).toMatchObject(
      denied('Wrong user to action mapping. user: app, action: DbConnectAdmin'),
    );
  });

  // dsql §1.33, §1.35, §2.12
  it('is refused when the policies deny it', async () => {
    const arn = 'arn:aws:iam::000000000000:user/root';
    test.identities.denied.set(arn, 'dsql:DbConnectAdmin');
    const answer = await told(test.connect());
    test.identities.denied.clear();
    expect(answer).toMatchObject(
      denied(
        `User: ${arn} is not authorized to perform: dsql:DbConnectAdmin on resource: ` +
          `arn:aws:dsql:us-east-1:000000000000:cluster/${CLUSTER_ID}`,
      ),
    );
  });

  // dsql §1.34, §2.14
  it('is refused when the token has expired, while who is in stays in', async () => {
    const client = await test.connect();
    const password = await test.token();
    test.aheadMs = 901_000;
    const answer = await told(test.connect({ password }));
    test.aheadMs = 0;
    expect(answer).toMatchObject(denied(expect.stringMatching(/^Signature expired: /)));
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  // dsql §2.15
  it('takes the same token for many connections', async () => {
    const password = await test.token();
    const clients = [await test.connect({ password }), await test.connect({ password })];
    for (const client of clients) await client.end();
  });

  // dsql §1.33, §2.3
  it('is refused with a password that is no token', async () => {
    expect(await told(test.connect({ password: 'secret' }))).toMatchObject(
      denied(expect.stringMatching(/^The password is not a valid token: /)),
    );
    const long = `${await test.token()}&X-Amz-Foo=${'a'.repeat(20_000)}`;
    expect(await told(test.connect({ password: long }))).toMatchObject({ code: '08P01' });
  });

  // dsql §1.22
  it.each([
    ['default_transaction_read_only=on', 'default_transaction_read_only'],
    ['statement_timeout=5', 'statement_timeout'],
    ['client_min_messages=error', 'client_min_messages'],
    ['work_mem=64MB', 'work_mem'],
    ['role=postgres', 'role'],
    ['my.own=1', 'my.own'],
  ])('is refused with the startup parameter %s', async (setting, name) => {
    expect(await told(test.connect({ options: `-c ${setting}` }))).toMatchObject({
      code: '0A000',
      severity: 'FATAL',
      message: `setting configuration parameter "${name}" not supported`,
    });
  });

  // dsql §1.23, §1.29
  it('takes the startup parameters of the list, which RESET goes back to', async () => {
    const client = await test.connect({ options: '-c timezone=Europe/Berlin -c datestyle=german' });
    const shown = async () =>
      (
        await client.query(
          "SELECT current_setting('TimeZone') AS z, current_setting('DateStyle') AS d",
        )
      ).rows[0];
    const start = { z: 'Europe/Berlin', d: 'German, DMY' };
    expect(await shown()).toEqual(start);
    await client.query("SET timezone = 'Asia/Tokyo'");
    expect(await shown()).toEqual({ ...start, z: 'Asia/Tokyo' });
    await client.query('RESET timezone');
    expect(await shown()).toEqual(start);
    await client.query("SET datestyle = 'iso'");
    await client.query('RESET ALL');
    expect(await shown()).toEqual(start);
  });

  it('is refused with a value that PostgreSQL refuses', async () => {
    expect(await told(test.connect({ options: '-c timezone=Mars' }))).toMatchObject({
      code: '22023',
      severity: 'FATAL',
    });
  });

  // dsql §1.38, §2.19
  it('is refused when the cluster has as many connections as it takes', async () => {
    const clients: pg.Client[] = [];
    let answer: unknown = null;
    while (answer === null && clients.length < 30) {
      try {
        clients.push(await test.connect());
      } catch (error) {
        answer = error;
      }
    }
    expect(answer).toMatchObject({
      code: '53300',
      severity: 'FATAL',
      message: 'Unable to accept connection, too many open connections.',
    });
    await clients.pop()?.end();
    await expect.poll(() => test.cluster.quota.open).toBeLessThan(20);
    const next = await test.connect();
    await next.end();
    for (const client of clients) await client.end();
  });

  // dsql §1.20
  it('sends its cancel requests in vain', async () => {
    const client = await test.connect();
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    expect(processID).toBeGreaterThan(0);
    const slow = client.query('SELECT pg_sleep(0.5), 1 AS n');
    const socket = connectTcp(test.endpoint.port, '127.0.0.1');
    const request = Buffer.alloc(16);
    request.writeUInt32BE(16, 0);
    request.writeUInt32BE(80_877_102, 4);
    request.writeUInt32BE(processID, 8);
    request.writeInt32BE(secretKey, 12);
    socket.end(request);
    expect((await slow).rows[0]).toMatchObject({ n: 1 });
  });
});
