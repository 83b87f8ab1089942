import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { millrace, type Program, plainEnvironment } from '../support/program.ts';

const TOKEN = randomBytes(24).toString('hex');
const PATH = `/accounts/${'a'.repeat(32)}/hyperdrive/configs`;

let origin: TestDatabase;
let dir: string;
let program: Program;
let apiUrl: string;

beforeAll(async () => {
  origin = await createDatabase();
});

afterAll(async () => {
  await origin.drop();
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'millrace-api-'));
});

afterEach(async () => {
  await program.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The file as given, with any port for its listener and the API. */
async function serve(store: string, more = ''): Promise<void> {
  await start(store, more);
  apiUrl = (await program.says('stderr', /"url":"([^"]+)"[^\n]*the API listens/))[1] ?? '';
}

async function start(store: string, more = ''): Promise<void> {
  const api = '[api]\nport = 0\ntoken = "env:API_TOKEN"\n';
  const text = `[[listeners]]\nport = 0\n${api}${store}${more}`;
  await writeFile(join(dir, 'millrace.toml'), text);
  program = millrace(['serve', '--config', 'millrace.toml'], {
    cwd: dir,
    env: plainEnvironment({ API_TOKEN: TOKEN, STORE_URL: origin.url, ORIGIN_URL: origin.url }),
  });
}

async function call(method: string, path: string, body?: object) {
  const response = await fetch(apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await response.json()) as {
    result: { id: string; connection_string: string; name: string }[] & {
      id: string;
      connection_string: string;
    };
    errors: object[];
  };
}

async function create(name: string): Promise<string> {
  const url = new URL(origin.url);
  const { result, errors } = await call('POST', PATH, {
    name,
    origin: {
      scheme: 'postgres',
      host: url.hostname,
      port: Number(url.port),
      database: origin.name,
      user: url.username,
      password: decodeURIComponent(url.password),
    },
  });
  expect(errors).toEqual([]);
  return result.id;
}

async function mint(id: string): Promise<string> {
  return (await call('POST', `${PATH}/${id}/credentials`)).result.connection_string;
}

async function ask(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query('SELECT 1 AS one')).rows;
  } finally {
    await client.end();
  }
}

/** The same client at the port of this start. */
async function atNewPort(url: string): Promise<string> {
  const [, port = ''] = await program.says('stderr', /"port":(\d+)[^\n]*"listening"/);
  const moved = new URL(url);
  moved.port = port;
  return moved.href;
}

describe('serve with an API', () => {
  it('keeps everything over a restart, on an embedded server of its own', async () => {
    await serve('');
    const url = await mint(await create('kept'));
    expect(await ask(url)).toEqual([{ one: 1 }]);
    expect((await stat(join(dir, 'millrace-store.key'))).mode & 0o777).toBe(0o600);
    expect((await program.stop()).code).toBe(0);
    await serve('');
    expect(await ask(await atNewPort(url))).toEqual([{ one: 1 }]);
  });

  it('takes the store from a URL, and refuses a wrong key', async () => {
    const store = '[store]\nurl = "env:STORE_URL"\nkey = "file:a.key"\n';
    await serve(store);
    const id = await create('elsewhere');
    await program.stop();
    await start(store.replace('a.key', 'b.key'));
    expect((await program.end()).code).toBe(78);
    expect(program.stderr).toContain('the master key of the store does not fit');
    expect(program.stderr).not.toContain((await readFile(join(dir, 'a.key'), 'utf8')).trim());
    // Without its file, no other is left where it belongs.
    await start(store.replace('a.key', 'c.key'));
    expect((await program.end()).code).toBe(78);
    expect(program.stderr).toContain('c.key');
    await expect(stat(join(dir, 'c.key'))).rejects.toThrow('ENOENT');
    await serve(store);
    await call('DELETE', `${PATH}/${id}`);
  });

  it('serves what the file says as well, which wins, and reloads both', async () => {
    const more = (name: string) => `[[configurations]]
name = "${name}"
[configurations.origin]
url = "env:ORIGIN_URL"
[[configurations.credentials]]
user = "web"
password = "pw"
`;
    await serve('', more('filed'));
    const url = await mint(await create('stored'));
    expect(await ask(url)).toEqual([{ one: 1 }]);
    const filed = new URL(url);
    Object.assign(filed, { username: 'web', password: 'pw', pathname: '/filed' });
    expect(await ask(filed.href)).toEqual([{ one: 1 }]);
    const text = await readFile(join(dir, 'millrace.toml'), 'utf8');
    await writeFile(join(dir, 'millrace.toml'), text + more('later'));
    await program.says('stderr', /"configurationsAdded":\["later"\]/);
    filed.pathname = '/later';
    expect(await ask(filed.href)).toEqual([{ one: 1 }]);
    expect(await ask(url)).toEqual([{ one: 1 }]);
    // A file that is wrong keeps nothing of the store from being served.
    await writeFile(join(dir, 'millrace.toml'), 'nonsense');
    program.signal('SIGHUP');
    await program.says('stderr', /configuration not reloaded/);
    expect(await ask(await mint(await create('after')))).toEqual([{ one: 1 }]);
    const { result } = await call('GET', PATH);
    expect(result.map(({ name }) => name)).toEqual(['filed', 'later', 'stored', 'after']);
  });

  it('starts with the file while its store is away, and serves the store when it is back', async () => {
    const storage = await createDatabase();
    const client = new pg.Client({ connectionString: origin.url });
    await client.connect();
    const store = `[store]\nurl = "${storage.url}"\n`;
    try {
      await serve(store);
      const url = await mint(await create('away'));
      await program.stop();
      await client.query(`ALTER DATABASE ${storage.name} ALLOW_CONNECTIONS false`);
      await serve(store);
      expect(program.stderr).toContain('the store is away');
      expect(JSON.stringify(await call('GET', PATH))).toContain('1002');
      await expect(ask(await atNewPort(url))).rejects.toMatchObject({ code: '28P01' });
      await client.query(`ALTER DATABASE ${storage.name} ALLOW_CONNECTIONS true`);
      await program.says('stderr', /"configurationsAdded":\["away"\]/);
      expect(await ask(await atNewPort(url))).toEqual([{ one: 1 }]);
    } finally {
      await client.end();
      await program.stop();
      await storage.drop();
    }
  });
});
