/** Connections and roles of the endpoint, where no other test says so: rows of the coverage table. */
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSslRequest } from '../../../src/protocol/startup.ts';
import { CLUSTER_ID, REGION, TestEndpoint, told } from '../../support/dsql-endpoint.ts';

let test: TestEndpoint;
let one: pg.Client;

beforeAll(async () => {
  test = await TestEndpoint.start({ connectionsMax: 100, perSecond: 1, burst: 40 });
  one = await test.connect();
  await test.addRole('app');
});

afterAll(async () => {
  await test?.stop();
});

const GSSENC_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);
const ARN = 'arn:aws:iam::123456789012:role/reporting';

/** The first bytes that a connection answers to what it is sent in the clear. */
async function answerTo(bytes: Buffer): Promise<string> {
  const socket = connectTcp(test.endpoint.port, '127.0.0.1');
  socket.write(bytes);
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.destroy();
  return answer.toString('latin1');
}

/** TLS up to this version; rejects when there is none in common. */
const secured = (maxVersion: 'TLSv1.1' | 'TLSv1.2') =>
  new Promise<string | null>((resolve, reject) => {
    const socket: TLSSocket = connectTls({
      host: '127.0.0.1',
      port: test.endpoint.port,
      servername: test.host,
      ca: test.authority.cert,
      ALPNProtocols: ['postgresql'],
      minVersion: 'TLSv1',
      maxVersion,
      ciphers: 'DEFAULT:@SECLEVEL=0',
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
  });

describe('a connection', () => {
  // dsql §1.10
  it('is refused GSS encryption, and may go on by TLS', async () => {
    expect(await answerTo(GSSENC_REQUEST)).toBe('N');
    expect(await answerTo(encodeSslRequest())).toBe('S');
  });

  // dsql §1.7
  it('has TLS 1.2 at least', async () => {
    expect(await secured('TLSv1.2')).toBe('TLSv1.2');
    await expect(secured('TLSv1.1')).rejects.toThrow();
  });

  // dsql §1.13
  it('may be by the name that PrivateLink has for the cluster', async () => {
    const host = `${CLUSTER_ID}.dsql-fnh4.${REGION}.on.aws`;
    const config = await test.config();
    const client = new pg.Client({
      ...config,
      ssl: { servername: host, rejectUnauthorized: false },
    });
    await client.connect();
    expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await client.end();
  });

  // dsql §1.37
  it('is told that the cluster wakes', async () => {
    test.isWaking = true;
    const answer = await told(test.connect());
    test.isWaking = false;
    expect(answer).toMatchObject({
      code: '57P03',
      severity: 'FATAL',
      message: 'unable to accept connection, waking up cluster, please retry later',
    });
  });

  // dsql §1.16
  it('ends with a message above 10 MiB, and takes one that is below', async () => {
    const client = await test.connect();
    const text = (length: number) => `SELECT '${'x'.repeat(length)}' AS x`;
    expect((await client.query(text(9_000_000))).rows[0]?.x).toHaveLength(9_000_000);
    const answer = await told(client.query(text(10 * 1_048_576)));
    expect(answer).toMatchObject({
      code: '08P01',
      severity: 'FATAL',
      message: 'invalid message length',
    });
  });

  // dsql §2.16
  it('ends after 60 minutes, at the end of its transaction', async () => {
    const idle = await test.connect();
    const busy = await test.connect();
    await busy.query('BEGIN');
    await busy.query('SELECT 1');
    test.sessionAheadMs += 3_600_000;
    await expect(idle.query('SELECT 1')).rejects.toMatchObject({ severity: 'FATAL' });
    await busy.query('COMMIT').catch(() => {});
    await expect(busy.query('SELECT 1')).rejects.toMatchObject({ severity: 'FATAL' });
    one = await test.connect();
  });

  // dsql §6.13
  it('has a transaction for 300 s', async () => {
    await one.query('BEGIN');
    await one.query('SELECT 1');
    test.sessionAheadMs += 301_000;
    const answer = (await one.query('SELECT 1').catch((error) => error)) as pg.DatabaseError;
    expect(answer).toMatchObject({
      code: '54000',
      severity: 'ERROR',
      message: 'transaction age limit of 300s exceeded',
      detail: 'Current transaction age 301s exceeds 300s',
    });
    await one.query('ROLLBACK');
  });
});

describe('roles and associations', () => {
  // dsql §3.1, §3.2, §3.3, §3.6
  it('are made, associated and dropped, with their tags', async () => {
    const tagOf = async (text: string) => (await one.query(text)).command;
    expect(await tagOf('CREATE ROLE made WITH LOGIN')).toBe('CREATE');
    expect(await told(one.query('CREATE ROLE made WITH LOGIN'))).toMatchObject({ code: '42710' });
    expect(await tagOf(`AWS IAM GRANT made TO '${ARN}'`)).toBe('GRANT');
    expect(await tagOf(`AWS IAM REVOKE made FROM '${ARN}'`)).toBe('REVOKE');
    expect(await tagOf('DROP ROLE made')).toBe('DROP');
  });

  // dsql §3.2, §3.4, §3.5
  it('are shown, several for one role', async () => {
    const arns = [ARN, 'arn:aws:iam::123456789012:user/alice'];
    await one.query('CREATE ROLE shown WITH LOGIN');
    for (const arn of arns) await one.query(`AWS IAM GRANT shown TO '${arn}'`);
    const { rows } = await one.query(
      `SELECT arn, pg_role_name, grantor_pg_role_name, pg_role_oid = 'shown'::regrole AS same
       FROM sys.iam_pg_role_mappings WHERE pg_role_name = 'shown' ORDER BY iam_oid`,
    );
    const rest = { pg_role_name: 'shown', grantor_pg_role_name: 'admin', same: true };
    expect(rows).toEqual(arns.map((arn) => ({ arn, ...rest })));
  });

  // dsql §3.11, §3.12
  it.each([
    ['AWS IAM GRANT shown TO $app$', 'IAM role must look like an IAM ARN', '22023'],
    [`AWS IAM REVOKE app FROM '${ARN}'`, `IAM role ${ARN} does not exist`, '42704'],
    [`AWS IAM GRANT pg_monitor TO '${ARN}'`, 'Role pg_monitor not supported', '0A000'],
    [`AWS IAM GRANT admin TO '${ARN}'`, 'Cannot establish trust with role admin', '0A000'],
    ['DROP ROLE app', 'role app cannot be dropped because some objects depend on it', '2BP01'],
  ])('are refused: %s', async (text, message, code) => {
    const written = text.replace('$app$', "'app'");
    expect(await told(one.query(written))).toMatchObject({ code, message, severity: 'ERROR' });
  });

  // dsql §3.11
  it('need LOGIN, and admin who makes them', async () => {
    await one.query('CREATE ROLE silent');
    expect(await told(one.query(`AWS IAM GRANT silent TO '${ARN}'`))).toMatchObject({
      message: 'role silent must have the LOGIN attribute',
    });
    const app = await test.connect({ user: 'app', signer: 'app' });
    expect(await told(app.query(`AWS IAM GRANT app TO '${ARN}'`))).toMatchObject({
      code: '42501',
      message: 'permission denied to grant IAM trust with role app',
    });
  });
});

describe('jobs', () => {
  // dsql §5.70, §5.72, §5.73, §5.75
  it('of an index answer with their id, and can be waited for', async () => {
    await one.query('CREATE TABLE j (id int PRIMARY KEY, a int)');
    const { command, rows, fields } = await one.query('CREATE INDEX ASYNC j_a ON j (a)');
    expect(command).toBe('CREATE');
    expect(fields.map(({ name }) => name)).toEqual(['job_id']);
    const id = rows[0]?.job_id as string;
    expect(id).toMatch(/^[a-z2-7]{26}$/);
    const waited = await one.query(`CALL sys.wait_for_job('${id}')`);
    expect(waited.rows).toEqual([{ succeeded: true }]);
    const { rows: jobs } = await one.query('SELECT * FROM sys.jobs WHERE job_id = $1', [id]);
    expect(jobs).toMatchObject([
      { status: 'completed', job_type: 'INDEX_BUILD', class_id: 1259, object_name: 'public.j_a' },
    ]);
  });

  // dsql §5.64, §5.71
  it('validate a constraint that was added NOT VALID', async () => {
    await one.query('ALTER TABLE j ADD CONSTRAINT c CHECK (a > 0) NOT VALID');
    const { command, rows } = await one.query('ALTER TABLE ASYNC j VALIDATE CONSTRAINT c');
    expect(command).toBe('ALTER');
    const waited = await one.query(`CALL sys.wait_for_job('${rows[0]?.job_id}')`);
    expect(waited.rows).toEqual([{ succeeded: true }]);
  });

  // dsql §5.66, §5.77, §7.6
  it('that fail leave an index that is shown, and not valid', async () => {
    await one.query('INSERT INTO j VALUES (1, 5), (2, 5)');
    const { rows } = await one.query('CREATE UNIQUE INDEX ASYNC j_u ON j (a)');
    const waited = await one.query(`CALL sys.wait_for_job('${rows[0]?.job_id}')`);
    expect(waited.rows).toEqual([{ succeeded: false }]);
    const shown = await one.query(
      `SELECT i.indexname, x.indisvalid FROM pg_indexes i
         JOIN pg_index x ON x.indexrelid = i.indexname::regclass WHERE indexname = 'j_u'`,
    );
    expect(shown.rows).toEqual([{ indexname: 'j_u', indisvalid: false }]);
    const text = 'ALTER TABLE j ADD CONSTRAINT u UNIQUE USING INDEX j_u';
    expect(await told(one.query(text))).toMatchObject({
      code: '55000',
      message: 'index "j_u" is not valid',
    });
  });
});

describe('the rate of connections', () => {
  // dsql §1.39, §2.19
  it('is limited', async () => {
    let answer: unknown = null;
    for (let at = 0; at < 60 && answer === null; at++) {
      answer = await test.connect().then(
        (client) => client.end().then(() => null),
        (error: unknown) => error,
      );
    }
    expect(answer).toMatchObject({
      code: '53400',
      severity: 'FATAL',
      message: 'Unable to accept connection, rate exceeded.',
    });
  });
});
