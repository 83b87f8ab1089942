/** Links to Aurora DSQL: who is let in, how fast, and what is known of the catalogue. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { examine } from '../../src/cli/doctor/doctor-program.ts';
import { runCli } from '../../src/cli/run.ts';
import type { ConfigurationConfig } from '../../src/config/model.ts';
import { mintToken, type TokenAuth } from '../../src/origin/token-source.ts';
import { settledStatus, simple, statusOf, warm } from '../support/cached.ts';
import { DSQL_HOST } from '../support/dsql.ts';
import {
  DSQL_KEY_ID,
  DSQL_SECRET,
  type DsqlStage,
  dsqlOrigin,
  dsqlStage,
  reconfigure,
} from '../support/dsql-stage.ts';
import { codesOf, rowsOf, WireClient } from '../support/wire.ts';

let stage: DsqlStage | null = null;

const begin = async (...parts: Parameters<typeof dsqlStage>): Promise<DsqlStage> => {
  stage = await dsqlStage(...parts);
  await stage.sql(`CREATE TABLE item (id int PRIMARY KEY, name text);
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 20) n`);
  return stage;
};

const one = async (client: WireClient, sql: string): Promise<string | null | undefined> =>
  rowsOf(await client.ask(sql))[0]?.[0];

beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', DSQL_KEY_ID);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', DSQL_SECRET);
});

afterEach(async () => {
  await stage?.stop();
  stage = null;
});

afterAll(() => {
  vi.unstubAllEnvs();
});

describe('a login at Aurora DSQL', () => {
  it('is refused with an expired token, while established connections live on', async () => {
    const { gateway, dsql } = await begin({ links: 2 });
    const client = await gateway.connect();
    expect(await one(client, 'SELECT 1')).toBe('1');
    const other = await gateway.connect();
    await client.ask('BEGIN');
    dsql.tokensAheadMs = 20 * 60_000;
    // Whatever else was opened meanwhile is closed, so that the other one needs a new link.
    await reconfigure(gateway, { origin: dsqlOrigin(dsql), restartedOn: 'now' });
    other.send(simple('SELECT 2'));
    const isTurnedAway = () => expect(dsql.turnedAway.length).toBeGreaterThan(0);
    await vi.waitFor(isTurnedAway, { timeout: 10_000 });
    expect(await one(client, 'SELECT 3')).toBe('3');
    dsql.tokensAheadMs = 0;
    await client.ask('COMMIT');
    expect(rowsOf(await other.readReady())).toEqual([['2']]);
  });

  it.each([
    ['a token for another region', { auth: { region: 'eu-west-1' } }, 'access denied'],
    ['another database', { database: 'shop' }, 'database "shop" does not exist'],
    ['no name in TLS', { tlsServerName: null }, 'sni was not received'],
    ['a role that is not there', { user: 'nobody_here' }, 'does not exist'],
  ])('with %s is refused in the words of DSQL', async (_what, changes, words) => {
    const { gateway, dsql } = await begin();
    const { auth } = dsqlOrigin(dsql);
    const merged = 'auth' in changes ? { auth: { ...auth, ...changes.auth } } : changes;
    const origin = dsqlOrigin(dsql, merged as Parameters<typeof dsqlOrigin>[1]);
    await reconfigure(gateway, { origin });
    await expect(gateway.connect()).rejects.toMatchObject({
      cause: { C: '58000', D: expect.stringContaining(words) },
    });
    expect(dsql.turnedAway).toHaveLength(1);
  });

  it('has the action of admin, or of every other role', async () => {
    const { gateway, dsql } = await begin();
    const user = new URL(stage?.database.url ?? '').username;
    await reconfigure(gateway, { origin: dsqlOrigin(dsql, { user }) });
    expect(await one(await gateway.connect(), 'SELECT current_user')).toBe(user);
  });
});

describe('new links to Aurora DSQL', () => {
  it('are opened as fast as the cluster allows: of 300 clients all wait and none fails', async () => {
    const rate = { perSecond: 10, burst: 5 };
    const { gateway, dsql } = await begin({ links: 60 }, {}, { newLinks: rate });
    const clients = await Promise.all(Array.from({ length: 300 }, () => gateway.connect()));
    const loginsBefore = dsql.logins;
    const sinceMs = performance.now();
    const slept = await Promise.all(clients.map((client) => one(client, 'SELECT pg_sleep(0.1)')));
    const tookS = (performance.now() - sinceMs) / 1_000;
    expect(slept).toHaveLength(300);
    expect(dsql.turnedAway).toEqual([]);
    const logins = dsql.logins - loginsBefore;
    expect(logins).toBeGreaterThan(rate.burst);
    expect(logins).toBeLessThanOrEqual(rate.burst + rate.perSecond * tookS + 1);
  });

  it('are counted by all configurations of one cluster together', async () => {
    const rate = { perSecond: 1, burst: 2 };
    const { gateway, dsql } = await begin({ links: 6 }, {}, { newLinks: rate });
    const [configuration] = gateway.config.configurations as [ConfigurationConfig];
    const changes = { origin: dsqlOrigin(dsql), newLinks: rate };
    const configurations = ['app', 'twin'].map((name) => ({ ...configuration, ...changes, name }));
    await gateway.gateway.reload({ ...gateway.config, configurations });
    const sinceMs = performance.now();
    const clients = await Promise.all(
      ['app', 'twin'].flatMap((name) =>
        [1, 2, 3].map(() => WireClient.connect({ ...gateway.target, database: name })),
      ),
    );
    await Promise.all(clients.map((client) => client.ask('SELECT pg_sleep(1.2)')));
    const tookS = (performance.now() - sinceMs) / 1_000;
    expect(dsql.logins).toBeGreaterThan(1);
    expect(dsql.logins).toBeLessThanOrEqual(rate.burst + rate.perSecond * tookS);
  });

  it.each([
    ['its rate', { rate: { perSecond: 1, burst: 2 } }],
    ['its number of connections', { connectionsMax: 3 }],
  ])('that the cluster refuses by %s have clients wait', async (_what, quota) => {
    const { gateway, dsql } = await begin({ links: 8 }, quota);
    const clients = await Promise.all(Array.from({ length: 16 }, () => gateway.connect()));
    await Promise.all(clients.map((client) => client.ask('SELECT pg_sleep(0.2)')));
    expect(dsql.turnedAway.length).toBeGreaterThan(0);
    expect(await one(clients[15] as WireClient, 'SELECT 1')).toBe('1');
  });
});

describe('the commands that look at a database', () => {
  it('know Aurora DSQL, and ask it nothing that it refuses', async () => {
    const { dsql } = await begin();
    const origin = dsqlOrigin(dsql, { host: 'localhost', tlsServerName: null });
    const { token } = await mintToken(origin.auth as TokenAuth, 'admin');
    const findings = await examine({ ...origin, password: token, auth: { method: 'password' } });
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([]);
    expect(findings.find(({ check }) => check === 'version')?.text).toContain('Aurora DSQL');
    expect(findings.at(-1)).toMatchObject({ check: 'privileges', verdict: 'worth a look' });
    expect(dsql.refused).toEqual([]);
    const wrong = { ...origin, password: 'x', auth: { method: 'password' as const } };
    expect((await examine(wrong)).at(-1)?.fix).toContain('millrace token dsql');
  });

  it('make no role there, and say how it is made', async () => {
    let said = '';
    const terminal = {
      out: () => {},
      err: (text: string) => {
        said += text;
      },
      env: {},
      usesColor: false,
    };
    const url = `postgres://admin:x@${DSQL_HOST}/postgres`;
    expect(await runCli(['setup-role', url], terminal)).toBe(2);
    expect(said).toContain('AWS IAM GRANT');
  });
});

describe('a configuration for Aurora DSQL', () => {
  it('works where nothing but the documented catalogue can be read', async () => {
    const caching = { mode: 'write-through' as const };
    const { gateway, dsql } = await begin({ links: 2, caching }, { catalogue: 'documented' });
    const client = await gateway.connect();
    const text = 'SELECT name FROM item WHERE id = 3';
    const isRefused = () => expect(dsql.refused.join()).toContain('pg_proc');
    await vi.waitFor(isRefused, { timeout: 10_000 });
    for (let round = 0; round < 5; round++) expect(await one(client, text)).toBe('item 3');
    expect(await statusOf(client)).not.toBe('hit');
    expect(rowsOf(await client.ask('SHOW millrace.pins'))).toEqual([]);
  });

  it('keeps answers as long as mode ttl says, whoever writes', async () => {
    const { gateway } = await begin({ links: 2, caching: { mode: 'ttl' } });
    const client = await gateway.connect();
    const text = simple('SELECT name FROM item WHERE id = 3');
    await warm(client, text);
    await client.ask("UPDATE item SET name = 'new' WHERE id = 3");
    expect(rowsOf(await warm(client, text))).toEqual([['item 3']]);
  });

  it('keeps nothing with the cache off', async () => {
    const { gateway } = await begin({ links: 2, caching: { disabled: true } });
    const client = await gateway.connect();
    expect(await settledStatus(client, simple('SELECT name FROM item WHERE id = 3'))).toBe(
      'disabled',
    );
  });

  it('may be told by its clients to keep nothing, though DSQL has no such setting', async () => {
    const { gateway, dsql } = await begin({ links: 2, caching: { mode: 'ttl' } });
    const client = await gateway.connect({ 'millrace.cache': 'off' });
    await client.ask("SET TimeZone = 'CET'");
    const text = simple('SELECT name FROM item WHERE id = 3');
    expect(await settledStatus(client, text)).toBe('disabled');
    expect(dsql.refused).toEqual([]);
  });

  it('tells no client what another one drew from a sequence, once somebody has asked', async () => {
    const { gateway, dsql } = await begin({ links: 1 });
    await stage?.sql('CREATE SEQUENCE number CACHE 1');
    const [drawer, asker] = [await gateway.connect(), await gateway.connect()];
    const primed = async (): Promise<void> => {
      await asker.ask('SELECT lastval()');
      await drawer.ask("SELECT nextval('number')");
      expect(codesOf(await asker.ask('SELECT lastval()'))).toMatch(/E/);
    };
    await vi.waitFor(primed, { timeout: 10_000 });
    for (let round = 0; round < 5; round++) {
      await drawer.ask("SELECT nextval('number')");
      expect(codesOf(await asker.ask('SELECT lastval()'))).toMatch(/E/);
    }
    await drawer.ask('BEGIN');
    expect(await one(drawer, "SELECT nextval('number')")).toBe(
      await one(drawer, 'SELECT lastval()'),
    );
    expect(dsql.refused).toEqual([]);
  });

  it('gives a client of session mode its own default by RESET, and cleans behind it', async () => {
    const { gateway, dsql } = await begin({ links: 1, poolMode: 'session' });
    const client = await gateway.connect({ TimeZone: 'Europe/Berlin' });
    await client.ask("SET TimeZone = 'CET'");
    expect(await one(client, 'SHOW TimeZone')).toBe('CET');
    await client.ask('RESET TimeZone');
    expect(await one(client, 'SHOW TimeZone')).toBe('Europe/Berlin');
    await client.ask("SET TimeZone = 'CET'");
    client.vanish();
    const next = await gateway.connect();
    expect(await one(next, 'SHOW TimeZone')).not.toBe('CET');
    expect(dsql.refused).toEqual([]);
  });
});
