import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/base/errors.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { ConfigError, spellProblem } from '../../../src/config/problems.ts';
import { plainOrigin } from '../../support/origin.ts';
import { minimal, workspace } from './workspace.ts';

const directories: string[] = [];

async function fileOf(toml: string, files: Record<string, string> = {}): Promise<string> {
  const directory = await workspace(toml, files);
  directories.push(directory);
  return join(directory, 'millrace.toml');
}

async function load(toml: string, env = {}, files: Record<string, string> = {}) {
  return loadConfig(await fileOf(toml, files), env);
}

/** Each problem as told, without the directory. */
async function problemsOf(toml: string, env = {}, files: Record<string, string> = {}) {
  const path = await fileOf(toml, files);
  const error = await loadConfig(path, env).then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(ConfigError);
  const { problems } = error as ConfigError;
  return problems.map((problem) => spellProblem(problem).replace(path, 'F'));
}

afterEach(async () => {
  for (const directory of directories.splice(0)) {
    await rm(directory, { recursive: true, force: true });
  }
});

describe('a valid file', () => {
  it('gets its defaults', async () => {
    const { config, warnings } = await load(minimal);
    expect(warnings).toEqual([]);
    expect(config.workers).toBe('auto');
    expect(config.drainTimeoutMs).toBe(30_000);
    expect(config.listeners).toEqual([
      {
        address: '127.0.0.1',
        port: 5432,
        tls: 'off',
        tlsCert: null,
        tlsKey: null,
        tlsClientCa: null,
        tlsClientCert: 'off',
        loginTimeoutMs: 15_000,
        clientsMax: 10_000,
      },
    ]);
    expect(config.configurations).toEqual([
      {
        name: 'app',
        origin: plainOrigin({
          host: 'db.example.com',
          port: 5432,
          database: 'app',
          user: 'app',
          password: null,
          sslmode: 'prefer',
        }),
        originConnectionLimit: 20,
        waitersMax: 10_000,
        poolMode: 'transaction',
        shareLinks: true,
        shareDepth: 16,
        hedgeMs: 20,
        timeouts: {
          connectTimeoutMs: 15_000,
          waitTimeoutMs: 15_000,
          idleLinkTimeoutMs: 600_000,
          linkLifetimeMs: 3_600_000,
          statementTimeoutMs: 0,
          clientUnreadTimeoutMs: 300_000,
        },
        caching: {
          disabled: false,
          mode: 'write-through',
          maxAgeMs: 60_000,
          staleWhileRevalidateMs: 15_000,
          staleIfErrorMs: 300_000,
          bytesMax: 67_108_864,
        },
        credentials: [{ user: 'web', verifier: null, password: 'pw' }],
      },
    ]);
  });

  it('reads a URL with its own TLS files', async () => {
    const origin = 'url = "postgresql://u%40x:p%2Fw@[::1]:6000/d?sslrootcert=cert.pem"';
    const toml = minimal.replace(
      /host[\s\S]*?user = "app"\n/,
      `${origin}\nsslmode = "verify-ca"\n`,
    );
    const { config } = await load(toml);
    expect(config.configurations[0]?.origin).toMatchObject({
      host: '::1',
      port: 6000,
      user: 'u@x',
      password: 'p/w',
      database: 'd',
      sslmode: 'verify-ca',
      ca: expect.stringContaining('BEGIN CERTIFICATE'),
    });
  });

  it('takes secrets from the environment and from files', async () => {
    const toml = minimal
      .replace('user = "app"', 'user = "app"\npassword = "env:DB_PW"')
      .replace('"pw"', '"file:web.pw"');
    const { config } = await load(toml, { DB_PW: 'from env' }, { 'web.pw': 'from file\r\n' });
    expect(config.configurations[0]?.origin.password).toBe('from env');
    expect(config.configurations[0]?.credentials[0]?.password).toBe('from file');
  });

  it('does not read a password of a URL as a reference', async () => {
    const toml = minimal.replace(/host[\s\S]*?user = "app"\n/, 'url = "env:URL"\n');
    const { config } = await load(toml, { URL: 'postgres://u:env%3APATH@h' });
    expect(config.configurations[0]?.origin.password).toBe('env:PATH');
    expect(config.configurations[0]?.origin.database).toBe('u');
  });

  it('loads a listener with TLS and its certificate', async () => {
    const toml = `[[listeners]]\ntls = "required"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n`;
    const { config, warnings } = await load(toml + minimal);
    expect(config.listeners[0]?.tlsKey).toContain('PRIVATE KEY');
    expect(warnings).toEqual([]);
  });
});

describe('warnings', () => {
  it('tell of secrets that others can read', async () => {
    const toml = `[[listeners]]\ntls = "required"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n`;
    const path = await fileOf(toml + minimal);
    await chmod(path, 0o644);
    await chmod(path.replace('millrace.toml', 'key.pem'), 0o640);
    const { warnings } = await loadConfig(path, {});
    expect(warnings.map((line) => line.replace(path, 'F'))).toEqual([
      'F:4: listeners[0].tls_key: others can read the private key key.pem; chmod 600 key.pem',
      'F: others can read the secrets in this file; chmod 600 millrace.toml, or use env: or file:',
    ]);
  });

  it('tell of an expired certificate and of a listener open to the network', async () => {
    const toml =
      '[[listeners]]\naddress = "0.0.0.0"\n' +
      '[[listeners]]\nport = 0\ntls = "optional"\ntls_cert = "expired.pem"\ntls_key = "key.pem"\n';
    const { warnings } = await load(toml + minimal);
    expect(warnings.map((line) => line.replace(/^.*toml/, 'F'))).toEqual([
      'F:1: listeners[0]: is open to the network without TLS; set tls = "required"',
      'F:6: listeners[1].tls_cert: has expired; renew it',
    ]);
  });
});

describe('an invalid file', () => {
  it('names the nearest known key and the line', async () => {
    expect(await problemsOf(minimal.replace('host =', 'hsot ='))).toEqual([
      'F:5: configurations[0].origin.hsot: unknown key "hsot"; did you mean host?',
    ]);
    expect(await problemsOf(`workers = 64\n${minimal}`)).toEqual([
      'F:1: workers: must be "auto" or a whole number from 1 to 63',
    ]);
    expect(await problemsOf(`drian_timeout_ms = 5\n${minimal}`)).toEqual([
      'F:1: drian_timeout_ms: unknown key "drian_timeout_ms"; did you mean drain_timeout_ms?',
    ]);
  });

  it('tells all problems at once, those between keys and those of files too', async () => {
    const toml = `
[[listeners]]
port = 70000
[[listeners]]
tls = "required"
[[configurations]]
name = "app"
origin_connection_limit = 0
[[configurations]]
name = "app"
[configurations.origin]
host = "h"
database = "d"
user = "u"
ca = "missing.pem"
[[configurations.credentials]]
user = "web"
[[configurations]]
name = "app"
[configurations.origin]
host = "h"
database = "d"
user = "u"
[[configurations.credentials]]
user = "web"
password = "env:NOT_SET"
`;
    expect(await problemsOf(toml)).toEqual([
      'F:3: listeners[0].port: must be a whole number from 0 to 65535',
      'F:4: listeners[1]: tls = "required" needs tls_cert and tls_key; give both',
      'F:6: configurations[0].origin: is missing; must be written as [configurations.origin]',
      'F:6: configurations[0].credentials: is missing; must be written as ' +
        '[[configurations.credentials]], 1 to 10000 of them',
      'F:8: configurations[0].origin_connection_limit: must be a whole number from 1 to 10000',
      'F:15: configurations[1].origin.ca: cannot read missing.pem: there is no such file',
      'F:16: configurations[1].credentials[0]: has neither password and verifier; ' +
        'give one of the two',
      'F:19: configurations[2].name: another configuration has this name; ' +
        'change or remove one of them',
      'F:26: configurations[2].credentials[0].password: the environment variable NOT_SET is not ' +
        'set; set it',
    ]);
  });

  it('refuses two listeners on one address, except on port 0', async () => {
    const twice = '[[listeners]]\nport = 7000\n[[listeners]]\nport = 7000\n';
    expect(await problemsOf(twice + minimal)).toEqual([
      'F:3: listeners[1]: another listener has this address and port; change or remove one of them',
    ]);
    const { config } = await load(twice.replaceAll('7000', '0') + minimal);
    expect(config.listeners).toHaveLength(2);
  });

  it.each([
    ['other-key.pem', 'is not the key of tls_cert; name the matching files'],
    ['encrypted-key.pem', 'the file is encrypted'],
    ['cert.pem', 'the file holds no private key'],
    ['millrace.toml', 'millrace.toml is not a PEM file; convert it with openssl'],
  ])('refuses %s as key of a certificate', async (name, what) => {
    const toml = `[[listeners]]\ntls = "required"\ntls_cert = "cert.pem"\ntls_key = "${name}"\n`;
    expect(await problemsOf(toml + minimal)).toEqual([`F:4: listeners[0].tls_key: ${what}`]);
  });

  it('wants authorities and TLS for certificates of clients', async () => {
    const tls = '[[listeners]]\ntls = "required"\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n';
    const ca = 'tls_client_ca = "cert.pem"\n';
    const full = 'tls_client_cert = "verify-full"\n';
    const { config } = await load(tls + ca + full + minimal);
    expect(config.listeners[0]).toMatchObject({
      tlsClientCa: expect.stringContaining('BEGIN CERTIFICATE'),
      tlsClientCert: 'verify-full',
    });
    expect(await problemsOf(tls + full + minimal)).toEqual([
      'F:1: listeners[0]: tls_client_cert = "verify-full" needs tls_client_ca; give it',
    ]);
    expect(await problemsOf(tls + ca + minimal)).toEqual([
      'F:1: listeners[0]: tls_client_ca is given, but tls_client_cert is "off"; ' +
        'set tls_client_cert = "verify-full", or leave tls_client_ca out',
    ]);
    expect(await problemsOf(tls.replace('required', 'optional') + ca + full + minimal)).toEqual([
      'F:1: listeners[0]: tls_client_cert = "verify-full" could be avoided by going without TLS; ' +
        'set tls = "required"',
    ]);
    expect(await problemsOf(tls + ca.replace('cert.pem', 'key.pem') + full + minimal)).toEqual([
      'F:5: listeners[0].tls_client_ca: the file holds no certificate',
    ]);
  });

  it('wants an sslmode that lets the demands of an origin happen', async () => {
    const origin = (lines: string) => minimal.replace('user = "app"', `user = "app"\n${lines}`);
    const fix = 'set sslmode = "require" or stronger';
    expect(await problemsOf(origin('sslnegotiation = "direct"'))).toEqual([
      `F:4: configurations[0].origin: sslnegotiation "direct" cannot be with sslmode "prefer"; ${fix}`,
    ]);
    expect(await problemsOf(origin('sslmode = "disable"\nchannel_binding = "require"'))).toEqual([
      `F:4: configurations[0].origin: channel_binding "require" cannot be with sslmode "disable"; ${fix}`,
    ]);
    const both = 'sslmode = "require"\nsslnegotiation = "direct"\nchannel_binding = "require"';
    const { config } = await load(origin(both));
    expect(config.configurations[0]?.origin).toMatchObject({
      sslnegotiation: 'direct',
      channelBinding: 'require',
    });
  });

  it('refuses certificate files with tls off, so that nobody believes in TLS that is not there', async () => {
    const toml = '[[listeners]]\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n';
    expect(await problemsOf(toml + minimal)).toEqual([
      'F:1: listeners[0]: tls is "off" but has files; set tls = "required"',
    ]);
  });

  it('refuses a URL beside what the URL says', async () => {
    const toml = minimal.replace('host =', 'url = "postgres://u:x@h/d"\npassword = "y"\nhost =');
    expect(await problemsOf(toml)).toEqual([
      'F:6: configurations[0].origin.password: `url` says this too; take it out of one of them',
      'F:7: configurations[0].origin.host: `url` is given too; leave out host or url',
      'F:8: configurations[0].origin.database: `url` is given too; leave out database or url',
      'F:9: configurations[0].origin.user: `url` is given too; leave out user or url',
    ]);
  });

  it.each([
    ['a name', 'name = "app"', `name = "${'é'.repeat(32)}"`, 'is longer than 63 bytes in UTF-8'],
    ['an address', 'name = "app"', 'name = "app"\npool_mode = "statement"', 'must be one of'],
    ['a verifier', 'password = "pw"', 'verifier = "md5abc"', 'must be SCRAM-SHA-256$'],
    ['a host', 'host = "db.example.com"', 'host = "/run/postgresql"', 'one and without a port'],
  ])('refuses %s that cannot work', async (_, old, replacement, what) => {
    const [problem] = await problemsOf(minimal.replace(old, replacement));
    expect(problem).toContain(what);
  });

  it('refuses a port inside an address', async () => {
    const problems = await problemsOf(`[[listeners]]\naddress = "127.0.0.1:5432"\n${minimal}`);
    expect(problems).toEqual([
      'F:2: listeners[0].address: must be an IP address or host name without a port',
    ]);
    const { config } = await load(`[[listeners]]\naddress = "::1"\n${minimal}`);
    expect(config.listeners[0]?.address).toBe('::1');
  });

  it('tells where the TOML is broken', async () => {
    expect(await problemsOf(`${minimal}\nx = \n`)).toEqual([
      'F:12: is not valid TOML: invalid value',
    ]);
  });

  it.each([
    'password = "hunter2-SECRET',
    'password = ["hunter2-SECRET"]',
    'pasword = "hunter2-SECRET"',
    'verifier = "hunter2-SECRET"',
    'password = "file:empty"\nverifier = "env:V"',
    'password = "hunter2-SECRET"\nverifier = "file:empty"',
  ])('never quotes a value: %s', async (line) => {
    const toml = minimal.replace('password = "pw"', line);
    const path = await fileOf(toml, { empty: 'hunter2-SECRET\nhunter2-SECRET' });
    const error = await loadConfig(path, { V: 'hunter2-SECRET' }).catch((caught) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    const told = [error.message, error.stack, String(error.cause), JSON.stringify(error.problems)];
    expect(told.join()).not.toContain('hunter2-SECRET');
  });

  it('that cannot be read is another error', async () => {
    const error = await loadConfig('/nowhere/millrace.toml', {}).catch((caught) => caught);
    expect(error).toBeInstanceOf(GatewayError);
    expect(error.code).toBe('MR_FILE_UNREADABLE');
    expect(error.message).toBe('cannot read /nowhere/millrace.toml: there is no such file');
  });
});
