import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dev, startDev } from '../support/millrace.ts';
import {
  ACCOUNT,
  type Api,
  current,
  installClients,
  oldest,
  requireClient,
  Wrangler,
} from './clients.ts';

const pki = (name: string) => join(import.meta.dirname, '../../support/pki', name);

let dev: Dev & { readonly api: Api };
let wrangler: Wrangler;

beforeAll(async () => {
  await installClients();
  dev = await startDev();
}, 600_000);

afterAll(async () => {
  await dev?.program.stop();
});

const idIn = (said: string): string => /[0-9a-f]{32}/.exec(said)?.[0] ?? said;
const jsonIn = (said: string): unknown => JSON.parse(said.slice(said.indexOf('{')));

describe.each([oldest, current])('the real wrangler: $name', (release) => {
  beforeAll(async () => {
    await installClients(release);
    wrangler = await Wrangler.make(dev.api, release);
  }, 600_000);

  afterAll(async () => {
    await wrangler?.remove();
  });

  it('creates, lists, gets, updates and deletes a configuration', async () => {
    const string = `--connection-string=${dev.originUrl}`;
    const made = await wrangler.well('hyperdrive', 'create', 'mill', string, '--max-age', '30');
    const id = idIn(made);
    expect(await wrangler.well('hyperdrive', 'list')).toContain(id);
    expect(jsonIn(await wrangler.well('hyperdrive', 'get', id))).toMatchObject({
      id,
      name: 'mill',
      origin: { host: '127.0.0.1', database: 'demo', user: 'millrace', scheme: 'postgres' },
      caching: { disabled: false, max_age: 30 },
    });
    const limit = ['--origin-connection-limit', '9'];
    await wrangler.well('hyperdrive', 'update', id, '--caching-disabled', 'true', ...limit);
    expect(jsonIn(await wrangler.well('hyperdrive', 'get', id))).toMatchObject({
      caching: { disabled: true },
      origin_connection_limit: 9,
    });
    await wrangler.well('hyperdrive', 'update', id, string, '--name', 'mill2');
    expect(await wrangler.well('hyperdrive', 'get', id)).toContain('"mill2"');
    await wrangler.well('hyperdrive', 'delete', id);
    expect((await wrangler.run(['hyperdrive', 'get', id])).code).not.toBe(0);
  });

  it('shows why a database cannot be used', async () => {
    const wrong = dev.originUrl.replace(':millrace@', ':wrong@');
    const refused = await wrangler.run([
      'hyperdrive',
      'create',
      'x',
      `--connection-string=${wrong}`,
    ]);
    expect(refused.code).not.toBe(0);
    expect(refused.stdout + refused.stderr).toMatch(
      /credentials were not accepted.*\[code: 2013\]/s,
    );
  });

  it('uploads, lists and deletes certificates, and uses them', async () => {
    const ca = ['--ca-cert', pki('ca.crt'), '--name', 'mill-ca'];
    const caId = idIn(await wrangler.well('cert', 'upload', 'certificate-authority', ...ca));
    const own = ['--cert', pki('client.crt'), '--key', pki('client.key'), '--name', 'mill-own'];
    const ownId = idIn(await wrangler.well('cert', 'upload', 'mtls-certificate', ...own));
    const listed = await wrangler.well('cert', 'list');
    expect(listed).toContain(caId);
    expect(listed).toContain('mill-own');
    const tls = ['--ca-certificate-id', caId, '--sslmode', 'verify-full'];
    const create = ['hyperdrive', 'create', 'tls', `--connection-string=${dev.originUrl}`, ...tls];
    const refused = await wrangler.run(create);
    expect(refused.stdout + refused.stderr).toMatch(/does not support TLS.*\[code: 2012\]/s);
    // By its name, beside another one.
    await wrangler.well('cert', 'delete', '--name', 'mill-ca');
    await wrangler.well('cert', 'delete', '--id', ownId);
    expect(await wrangler.well('cert', 'list')).not.toContain(caId);
  });

  it('finds its account, and whose token it has', async () => {
    // One that has not seen an account yet.
    const fresh = await Wrangler.make(dev.api, release);
    const { stdout, stderr } = await fresh.run(['hyperdrive', 'list'], {
      CLOUDFLARE_ACCOUNT_ID: undefined,
    });
    await fresh.remove();
    expect(stdout + stderr).toContain('demo');
  });
});

type Configs = {
  create(body: object): Promise<{ id: string; name: string }>;
  list(query: object): AsyncIterable<{ id: string; name: string }>;
  update(id: string, body: object): Promise<{ name: string }>;
  edit(id: string, body: object): Promise<{ caching: object }>;
  get(id: string, query: object): Promise<{ id: string }>;
  restart(id: string, query: object): Promise<{ restarted_on: string }>;
  delete(id: string, query: object): Promise<unknown>;
};

describe('the real SDK', () => {
  it('does the same, page after page', async () => {
    const { default: Cloudflare } = requireClient('cloudflare') as {
      default: new (options: object) => { hyperdrive: { configs: Configs } };
    };
    const client = new Cloudflare({ apiToken: dev.api.token, baseURL: dev.api.url });
    const { configs } = client.hyperdrive;
    const url = new URL(dev.originUrl);
    const origin = {
      scheme: 'postgres',
      host: url.hostname,
      port: Number(url.port),
      database: 'demo',
      user: url.username,
      password: url.password,
    };
    const account_id = ACCOUNT;
    const ids: string[] = [];
    for (const name of ['sdk1', 'sdk2', 'sdk3']) {
      ids.push((await configs.create({ account_id, name, origin })).id);
    }
    const names: string[] = [];
    for await (const { name } of configs.list({ account_id, per_page: 1 })) names.push(name);
    expect(names).toEqual(['sdk1', 'sdk2', 'sdk3']);
    const [id = ''] = ids;
    expect(await configs.update(id, { account_id, name: 'sdk9', origin })).toMatchObject({
      name: 'sdk9',
    });
    const edited = await configs.edit(id, { account_id, caching: { disabled: true } });
    expect(edited.caching).toEqual({ disabled: true });
    expect(await configs.get(id, { account_id })).toMatchObject({ id });
    const restarted = await configs.restart(id, { account_id });
    expect(Date.parse(restarted.restarted_on)).toBeGreaterThan(0);
    for (const each of ids) await configs.delete(each, { account_id });
    await expect(configs.get(id, { account_id })).rejects.toMatchObject({ status: 404 });
  });
});
