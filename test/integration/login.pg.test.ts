import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseVerifier, type ScramVerifier } from '../../src/auth/scram-keys.ts';
import { silentLog } from '../../src/base/log.ts';
import { admit } from '../../src/gateway/login/client-login.ts';
import type { LoginContext } from '../../src/gateway/login/login-context.ts';
import { type Listener, listen } from '../../src/net/listen.ts';
import { superuserUrl } from '../support/pg.ts';
import { encodeBackendKeyData, encodeReadyForQuery } from '../support/server-messages.ts';

const ROLE = `login_${randomBytes(4).toString('hex')}`;
const PASSWORD = 'pass \u2168 word';

let root: pg.Client;
let listener: Listener;

beforeAll(async () => {
  root = new pg.Client({ connectionString: superuserUrl() });
  await root.connect();
  await root.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD ${pg.escapeLiteral(PASSWORD)}`);
  const stored = await root.query('SELECT rolpassword AS text FROM pg_authid WHERE rolname = $1', [
    ROLE,
  ]);
  const verifier = parseVerifier(stored.rows[0].text) as ScramVerifier;
  const context: LoginContext = {
    tls: 'off',
    serverTls: null,
    clientCert: 'off',
    loginTimeoutMs: 10_000,
    findCredential: (user) => (user === ROLE ? { verifier } : null),
    mockSecret: randomBytes(32),
    random: { bytes: (count) => randomBytes(count) },
    log: silentLog,
  };
  listener = await listen(
    { address: '127.0.0.1', port: 0 },
    (socket) => {
      admit(socket, context).then(
        (admitted) => {
          const welcome = [encodeBackendKeyData(1, Buffer.alloc(4)), encodeReadyForQuery(0x49)];
          if (admitted.kind === 'client') welcome.unshift(admitted.accepted);
          admitted.socket.write(Buffer.concat(welcome));
          admitted.socket.on('end', () => admitted.socket.end());
          admitted.socket.resume();
        },
        () => {},
      );
    },
    () => {},
  );
});

afterAll(async () => {
  listener.close();
  await root.query(`DROP ROLE ${ROLE}`);
  await root.end();
});

describe('a verifier that PostgreSQL stores', () => {
  const connecting = async (user: string, password: string): Promise<void> => {
    const { port } = listener;
    const client = new pg.Client({ host: '127.0.0.1', port, user, database: 'any', password });
    await client.connect();
    await client.end();
  };

  it('lets its user in with the password, and with no other', async () => {
    await connecting(ROLE, PASSWORD);
    await expect(connecting(ROLE, `${PASSWORD}x`)).rejects.toMatchObject({ code: '28P01' });
    await expect(connecting(`${ROLE}x`, PASSWORD)).rejects.toMatchObject({ code: '28P01' });
  });
});
