import { chmod, chown, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { serverAccount } from '../../../src/embedded/account.ts';
import { type EmbeddedServer, startEmbedded } from '../../../src/embedded/embedded.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { pkiPath } from '../../support/pki.ts';
import { psql, psqlArgs, run } from '../support/command.ts';
import { clientUrl, type Serve, startServe } from '../support/millrace.ts';

describe('a listener that requires TLS', () => {
  let database: TestDatabase;
  let serve: Serve;

  beforeAll(async () => {
    database = await createDatabase();
    serve = await startServe({
      originUrl: database.url,
      listener: `tls = "required"
tls_cert = "${pkiPath('server.crt')}"
tls_key = "${pkiPath('server.key')}"`,
    });
  });

  afterAll(async () => {
    await serve?.stop();
    await database?.drop();
  });

  const url = (host: string, query: string) => `${clientUrl(serve.port, 'app', host)}?${query}`;

  it('is trusted by psql with verify-full, by both of its names', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const verified = url(host, `sslmode=verify-full&sslrootcert=${pkiPath('ca.crt')}`);
      expect(await psql(verified, '\\conninfo\nSELECT 1')).toMatch(/TLSv1\.[23][\s\S]*\n1$/);
    }
  });

  it('is not trusted with another root', async () => {
    const bad = url('localhost', `sslmode=verify-full&sslrootcert=${pkiPath('other-ca.crt')}`);
    const { code, stderr } = await run('psql', psqlArgs(bad, '-c', 'SELECT 1'));
    expect(code).toBe(2);
    expect(stderr).toContain('certificate verify failed');
  });

  it('turns away who comes without TLS', async () => {
    const plain = url('127.0.0.1', 'sslmode=disable');
    const { code, stderr } = await run('psql', psqlArgs(plain, '-c', 'SELECT 1'));
    expect(code).toBe(2);
    expect(stderr).toContain('this listener requires a connection with TLS');
  });

  it('passes big values and cancels through TLS', async () => {
    const verified = url('localhost', `sslmode=verify-full&sslrootcert=${pkiPath('ca.crt')}`);
    expect(await psql(verified, "SELECT repeat('Z', 10000000)")).toHaveLength(10_000_000);
    const timeout = "SET statement_timeout = '300ms'; SELECT pg_sleep(20)";
    await expect(psql(verified, timeout)).rejects.toThrow('statement timeout');
  });
});

describe('an origin with TLS', () => {
  let dir: string;
  let server: EmbeddedServer;
  let gateways: Serve[] = [];

  beforeAll(async () => {
    const account = await serverAccount();
    dir = await mkdtemp(join(tmpdir(), 'millrace-tls-'));
    await chmod(dir, 0o755);
    for (const name of ['server.crt', 'server.key']) {
      await copyFile(pkiPath(name), join(dir, name));
      await chmod(join(dir, name), 0o600);
      if (account !== null) await chown(join(dir, name), account.uid, account.gid);
    }
    server = await startEmbedded({
      dataDir: '',
      port: 0,
      ephemeral: true,
      superuser: { user: 'postgres', password: 'of the test' },
      log: silentLog,
      settings: {
        ssl: 'on',
        ssl_cert_file: join(dir, 'server.crt'),
        ssl_key_file: join(dir, 'server.key'),
      },
    });
  });

  afterAll(async () => {
    for (const serve of gateways.splice(0)) await serve.stop();
    await server?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function gatewayTo(host: string, ca: string): Promise<Serve> {
    const login = `postgres:${encodeURIComponent(server.password)}`;
    const serve = await startServe({
      originUrl: `postgres://${login}@${host}:${server.port}/postgres?sslmode=verify-full`,
      origin: `ca = "${pkiPath(ca)}"`,
    });
    gateways = [...gateways, serve];
    return serve;
  }

  it.each(['localhost', '127.0.0.1'])('is verified in full as %s', async (host) => {
    const { url } = await gatewayTo(host, 'ca.crt');
    const ask = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    const any = 'SELECT bool_or(ssl) FROM pg_stat_ssl';
    expect([await psql(url, any), await psql(url, ask)]).toEqual(['t', 't']);
  });

  it('is not used when another root signed its certificate', async () => {
    const { url } = await gatewayTo('localhost', 'other-ca.crt');
    await expect(psql(url, 'SELECT 1')).rejects.toThrow('tls_failed');
  });
});
