/** A gateway with a store and the API over HTTP, in this process; answers are checked as they come. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { ControlPlane } from '../../src/cli/control/control-plane.ts';
import { devConfig } from '../../src/cli/dev/dev-options.ts';
import type { MillraceConfig, OriginConfig } from '../../src/config/model.ts';
import { parseOriginUrl } from '../../src/config/resolve-origin.ts';
import { endpoints } from '../../src/control/endpoints/all.ts';
import { mergeConfigurations } from '../../src/control/served.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { Store } from '../../src/store/store.ts';
import { createDatabase, type TestDatabase } from './pg.ts';
import { ACCOUNT, openStore } from './store.ts';

export type Reply = {
  readonly status: number;
  readonly success: boolean;
  readonly result: Record<string, unknown> & { readonly id: string };
  readonly errors: readonly { readonly code: number; readonly message: string }[];
  readonly result_info?: Record<string, number>;
};

export const configsPath = `/accounts/${ACCOUNT}/hyperdrive/configs`;

/** What a success must look like by the document, and that it holds nothing else. */
function checkReply(method: string, path: string, reply: Reply): void {
  const row = endpoints.find(
    (one) =>
      one.method.toUpperCase() === method &&
      new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path.split('?')[0] ?? ''),
  );
  if (row === undefined || !reply.success) return;
  const schema = row.isPaged ? row.result.array() : row.result;
  expect(schema.parse(reply.result)).toEqual(reply.result);
}

export class TestControl {
  readonly origin: TestDatabase;
  readonly storage: TestDatabase;
  readonly store: Store;
  readonly gateway: Gateway;
  readonly #plane: ControlPlane;
  readonly #token: string;
  /** What every answer so far said, to look for secrets. */
  readonly said: string[] = [];

  private constructor(
    origin: TestDatabase,
    storage: TestDatabase,
    store: Store,
    gateway: Gateway,
    plane: ControlPlane,
    token: string,
  ) {
    this.origin = origin;
    this.storage = storage;
    this.store = store;
    this.gateway = gateway;
    this.#plane = plane;
    this.#token = token;
  }

  /** Its file has one configuration, `filed`. */
  static async start(): Promise<TestControl> {
    const [origin, storage] = [await createDatabase(), await createDatabase()];
    const store = await openStore(storage);
    const { origin: target } = await parseOriginUrl(origin.url);
    const base = fileConfig(target);
    const gateway = await Gateway.start(base, { log: silentLog });
    const token = randomBytes(24).toString('hex');
    const plane = await ControlPlane.start({
      store,
      api: { address: '127.0.0.1', port: 0, tls: null, token },
      plane: {
        fileConfigurations: () => base.configurations,
        serve: (stored) =>
          gateway.reload({
            ...base,
            configurations: mergeConfigurations(base.configurations, stored),
          }),
        status: async () => gateway.status(),
        purge: (configuration, target) => gateway.purge(configuration, target),
        addresses: () => gateway.addresses(),
      },
      version: '0.0.0',
      log: silentLog,
    });
    return new TestControl(origin, storage, store, gateway, plane, token);
  }

  get url(): string {
    return this.#plane.api?.url ?? '';
  }

  get token(): string {
    return this.#token;
  }

  async stop(): Promise<void> {
    await this.#plane.close();
    await this.store.close();
    await this.gateway.close();
    await this.origin.drop();
    await this.storage.drop();
  }

  /** A body is sent as wrangler does: JSON that calls itself text/plain. */
  async call(method: string, path: string, body?: unknown, token = this.#token): Promise<Reply> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    this.said.push(text);
    const reply = { status: response.status, ...(JSON.parse(text) as object) } as Reply;
    expect(reply.success).toBe(response.ok);
    checkReply(method, path, reply);
    return reply;
  }

  /** The origin as the API takes it. */
  originInput(changes: object = {}): object {
    const url = new URL(this.origin.url);
    return {
      scheme: 'postgres',
      host: url.hostname,
      port: Number(url.port),
      database: this.origin.name,
      user: url.username,
      password: decodeURIComponent(url.password),
      ...changes,
    };
  }

  async create(name: string, changes: object = {}): Promise<Reply['result']> {
    const body = { name, origin: this.originInput(), ...changes };
    const reply = await this.call('POST', configsPath, body);
    if (!reply.success) throw new Error(JSON.stringify(reply.errors));
    return reply.result;
  }

  /** A connection string of a fresh credential. */
  async mint(id: string, body: object = {}): Promise<Reply['result'] & { url: string }> {
    const { result } = await this.call('POST', `${configsPath}/${id}/credentials`, body);
    return { ...result, url: String(result['connection_string']) };
  }
}

function fileConfig(origin: OriginConfig): MillraceConfig {
  const config = devConfig(origin, 0);
  const [configuration] = config.configurations;
  if (configuration === undefined) throw new Error('there is one');
  return { ...config, configurations: [{ ...configuration, name: 'filed' }] };
}

/** Until `work` does not throw any more. */
export async function eventually<T>(work: () => Promise<T>, limitMs = 5_000): Promise<T> {
  const untilMs = performance.now() + limitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await sleep(50);
    }
  }
}
