import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configsPath, eventually, TestControl } from '../../support/control.ts';
import { ACCOUNT } from '../../support/store.ts';
import { message } from '../../support/wire-messages.ts';

let control: TestControl;

beforeAll(async () => {
  control = await TestControl.start();
});

afterAll(async () => {
  await control.stop();
});

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

describe('a configuration made through the API', () => {
  it('is served at once to whoever has a credential of it', async () => {
    const made = await control.create('fresh');
    expect(made).toMatchObject({ name: 'fresh', caching: { disabled: false }, mtls: {} });
    expect(made.id).toMatch(/^[0-9a-f]{32}$/);
    const { url } = await control.mint(made.id, { user: 'web' });
    expect(await ask(url, 'SELECT current_database()')).toBe(control.origin.name);
    const { result } = await control.call('GET', `${configsPath}/${made.id}/status`);
    expect(result).toMatchObject({ name: 'fresh', links: { idle: expect.any(Number) } });
  });

  it('never tells its password, nor anything else that is secret', async () => {
    const { id } = await control.create('hushed');
    await control.call('GET', `${configsPath}/${id}`);
    await control.call('GET', configsPath);
    const { password } = control.originInput() as { password: string };
    expect(control.said.join('\n')).not.toContain(password);
    expect(control.said.join('\n')).not.toContain(control.token);
  });

  it('is changed in place: clients stay, and what is wrong changes nothing', async () => {
    const { id } = await control.create('changed');
    const { url } = await control.mint(id);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      const wrong = await control.call('PATCH', `${configsPath}/${id}`, {
        origin: { password: 'wrong' },
      });
      expect(wrong.errors[0]?.code).toBe(2013);
      const right = await control.call('PATCH', `${configsPath}/${id}`, {
        origin_connection_limit: 7,
        caching: { max_age: 5 },
      });
      expect(right.result).toMatchObject({
        origin_connection_limit: 7,
        caching: { disabled: false, max_age: 5 },
      });
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await client.end();
    }
  });

  it('is replaced by PUT, which resets caching and keeps mtls', async () => {
    const { id } = await control.create('replaced', {
      caching: { max_age: 5 },
      mtls: { sslmode: 'prefer' },
    });
    const body = { name: 'replaced2', origin: control.originInput() };
    const { result } = await control.call('PUT', `${configsPath}/${id}`, body);
    expect(result).toMatchObject({
      name: 'replaced2',
      caching: { disabled: false },
      mtls: { sslmode: 'prefer' },
    });
    expect(result['caching']).not.toHaveProperty('max_age');
  });

  it('gets fresh connections by a restart, and says when', async () => {
    const { id } = await control.create('restarted');
    const { url } = await control.mint(id);
    const before = await ask(url, 'SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()');
    const reply = await control.call('POST', `${configsPath}/${id}/restart`);
    expect(Date.parse(String(reply.result['restarted_on']))).toBeGreaterThan(Date.now() - 60_000);
    const after = await ask(url, 'SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()');
    expect(after).not.toBe(before);
  });

  it('forgets answers of its cache by a purge, and says how many', async () => {
    const { id } = await control.create('purged');
    const { url } = await control.mint(id);
    const path = `${configsPath}/${id}/purge`;
    const purge = async (body: object) => {
      await ask(url, 'SELECT 41 + 1');
      return (await control.call('POST', path, body)).result['purged'];
    };
    // It is not kept before it is known that it may be.
    for (const body of [{ statement: '/* any */ SELECT 41 + 1' }, {}]) {
      await expect.poll(() => purge(body), { timeout: 15_000 }).toBe(1);
    }
    expect(await purge({ statement: 'SELECT 41' })).toBe(0);
    const log = await control.call('GET', `/accounts/${ACCOUNT}/millrace/audit_log?per_page=2`);
    const entry = { action: 'purge', target: 'configuration', target_name: 'purged' };
    expect(log.result).toMatchObject([
      { ...entry, fields: ['statement'] },
      { ...entry, fields: [] },
    ]);
    // A text may hold a secret.
    expect(JSON.stringify(log.result)).not.toContain('SELECT');
    const refusals = [
      [{ table: 'nobody' }, 404, 2101],
      [{ table: 'a', statement: 'b' }, 400, 2100],
      [{ tables: ['a'] }, 400, 2100],
    ] as const;
    for (const [body, status, code] of refusals) {
      expect(await control.call('POST', path, body)).toMatchObject({ status, errors: [{ code }] });
    }
  });

  it('is gone after DELETE, and lets nobody in', async () => {
    const { id } = await control.create('deleted');
    const { url } = await control.mint(id);
    expect(await control.call('DELETE', `${configsPath}/${id}`)).toMatchObject({ result: null });
    await expect(ask(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await control.call('GET', `${configsPath}/${id}`)).toMatchObject({ status: 404 });
    expect(await control.call('DELETE', `${configsPath}/${id}`)).toMatchObject({ status: 404 });
  });

  it('has a name that nobody else has, also not in the file', async () => {
    await control.create('unique');
    for (const name of ['unique', 'filed']) {
      const body = { name, origin: control.originInput() };
      expect(await control.call('POST', configsPath, body)).toMatchObject({
        status: 409,
        errors: [{ code: 2102 }],
      });
    }
  });

  it('belongs to its account', async () => {
    const { id } = await control.create('mine');
    const other = `/accounts/${'f'.repeat(32)}/hyperdrive/configs/${id}`;
    for (const method of ['GET', 'DELETE']) {
      expect(await control.call(method, other)).toMatchObject({ errors: [{ code: 2101 }] });
    }
  });

  it('is proven again by a test', async () => {
    const { id } = await control.create('tested');
    const { result } = await control.call('POST', `${configsPath}/${id}/test`);
    expect(result).toMatchObject({
      // Other tests may be about the server's TLS at this time.
      encrypted: expect.any(Boolean),
      server_version: expect.stringMatching(/^\d/),
    });
  });
});

describe('the list', () => {
  it('has pages, and an empty one past the end', async () => {
    const all = await control.call('GET', `${configsPath}?per_page=100`);
    const names = (all.result as unknown as { name: string }[]).map(({ name }) => name);
    expect(names[0]).toBe('filed');
    const total = names.length;
    const paged: string[] = [];
    for (let page = 1; page <= total + 1; page++) {
      const reply = await control.call('GET', `${configsPath}?per_page=1&page=${page}`);
      const rows = reply.result as unknown as { name: string }[];
      expect(reply.result_info).toMatchObject({ page, count: rows.length, total_count: total });
      paged.push(...rows.map(({ name }) => name));
    }
    expect(paged).toEqual(names);
  });

  it.each(['page=0', 'per_page=101', 'per_page=0', 'page=x'])('refuses %s', async (query) => {
    const reply = await control.call('GET', `${configsPath}?${query}`);
    expect(reply).toMatchObject({ status: 400, errors: [{ code: 2100 }] });
  });
});

describe('an origin that does not work', () => {
  const tries: readonly (readonly [number, string, () => object])[] = [
    [2008, 'resolve', () => ({ host: 'nowhere.invalid' })],
    [2009, 'machine', () => ({ host: '0.0.0.0' })],
    [2009, 'machine', () => ({ host: '/var/run/postgresql' })],
    [2011, 'refused', () => ({ port: 1 })],
    [2013, 'password', () => ({ password: 'wrong' })],
    [2014, 'does not exist', () => ({ database: 'nowhere' })],
  ];

  it.each(tries)('is refused with %i and the cause', async (code, word, changes) => {
    const body = { name: 'broken', origin: control.originInput(changes()) };
    const { status, errors } = await control.call('POST', configsPath, body);
    expect(status).toBe(400);
    expect(errors).toEqual([{ code, message: expect.stringContaining(word) }]);
    expect(errors[0]?.message).toMatch(/^Failed to connect to the provided database: /);
  });

  it('is refused with 2012 when it must have TLS and has none', async () => {
    const mtls = { sslmode: 'require' };
    expect(await refusalBy((socket) => socket.once('data', () => socket.write('N')), mtls)).toBe(
      2012,
    );
  });

  it('is refused with 2015 when it speaks another protocol', async () => {
    expect(await refusalBy((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))).toBe(2015);
  });

  it('is refused with 2010 when nobody answers there', async () => {
    expect(await refusalBy(() => {})).toBe(2010);
  });

  it('is refused with 2016 when it lets in, and answers no query', async () => {
    const ready = message('Z', Buffer.from('I'));
    const welcome = Buffer.concat([message('R', Buffer.alloc(4)), ready]);
    const error = message('E', Buffer.from('SERROR\0VERROR\0CXX000\0Mno page of it is whole\0\0'));
    const serve = (socket: Socket): void => {
      socket.once('data', () => {
        socket.write(welcome);
        socket.once('data', () => socket.write(Buffer.concat([error, ready])));
      });
    };
    expect(await refusalBy(serve, { sslmode: 'disable' })).toBe(2016);
  });

  /** The code of the answer when connections to the origin are handled so. */
  async function refusalBy(onSocket: (socket: Socket) => void, mtls = {}): Promise<unknown> {
    const server = createServer(onSocket);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const body = { name: 'broken', origin: control.originInput({ port }), mtls };
      const { errors } = await control.call('POST', configsPath, body);
      expect(errors).toHaveLength(1);
      return errors[0]?.code;
    } finally {
      server.close();
    }
  }
});

describe('a configuration of the file', () => {
  it('is told apart, and cannot be changed here', async () => {
    const all = await control.call('GET', configsPath);
    const [filed] = all.result as unknown as { id: string; millrace: object }[];
    expect(filed?.millrace).toEqual({ source: 'file', served: true });
    const path = `${configsPath}/${filed?.id}`;
    expect(await control.call('GET', path)).toMatchObject({ result: { name: 'filed' } });
    expect(await control.call('POST', `${path}/test`)).toMatchObject({ success: true });
    const whole = { name: 'x', origin: control.originInput() };
    const tries = [
      ['PATCH', path, { name: 'x' }],
      ['PUT', path, whole],
      ['DELETE', path, undefined],
      ['POST', `${path}/restart`, undefined],
      ['POST', `${path}/credentials`, {}],
    ] as const;
    for (const [method, where, body] of tries) {
      expect(await control.call(method, where, body)).toMatchObject({
        status: 409,
        errors: [{ code: 2103 }],
      });
    }
  });
});

describe('a store that is away', () => {
  it('makes the API say so, while the gateway goes on', async () => {
    const own = await TestControl.start();
    try {
      const { id } = await own.create('lasting');
      const { url } = await own.mint(id);
      await own.storage.drop();
      const reply = await own.call('GET', `${configsPath}/${id}`);
      expect(reply).toMatchObject({ status: 503, errors: [{ code: 1002 }] });
      expect(await eventually(() => ask(url, 'SELECT 1'))).toBe(1);
    } finally {
      await own.stop();
    }
  });
});
