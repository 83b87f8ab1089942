/** Gateways, proxies and databases of one test, all ended after it, the last one first. */
import { afterEach, expect } from 'vitest';
import { FaultProxy } from './fault-proxy.ts';
import { directTarget, type GatewayOptions, TestGateway } from './gateway.ts';
import { createDatabase, type TestDatabase } from './pg.ts';
import type { WireClient } from './wire.ts';
import { query } from './wire-messages.ts';

export type Stage = {
  /** To be run after the test. */
  after(end: () => unknown): void;
  makeDatabase(): Promise<TestDatabase>;
  start(options?: GatewayOptions, database?: TestDatabase): Promise<TestGateway>;
  /** A gateway whose links pass through a proxy, which keeps what the gateway says. */
  startBehindProxy(
    options?: GatewayOptions,
  ): Promise<{ readonly gateway: TestGateway; readonly proxy: FaultProxy }>;
};

/** To be called once, where tests are described. */
export function stageForEach(): Stage {
  const endings: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  const stage: Stage = {
    after: (end) => void endings.push(end),
    async makeDatabase() {
      const database = await createDatabase();
      stage.after(() => database.drop());
      return database;
    },
    async start(options = {}, database) {
      const gateway = await TestGateway.start(options, database ?? (await stage.makeDatabase()));
      stage.after(() => gateway.stop());
      return gateway;
    },
    async startBehindProxy(options = {}) {
      const database = await stage.makeDatabase();
      const proxy = await FaultProxy.start(directTarget(database));
      proxy.keeps = true;
      stage.after(() => proxy.stop());
      return { gateway: await stage.start({ ...options, originAt: proxy.at }, database), proxy };
    },
  };
  return stage;
}

export const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

export const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Until the gateway has read the catalogue, it asks the server behind every statement that names
 * something; afterwards it knows that `sql` is harmless.
 */
export async function untilCatalogueIsRead(
  client: WireClient,
  proxy: FaultProxy,
  sql: string,
): Promise<void> {
  const saidBytes = (): number => proxy.pairs.reduce((sum, { passed }) => sum + passed.up, 0);
  await client.rows(sql);
  await expect
    .poll(
      async () => {
        const before = saidBytes();
        await client.rows(sql);
        await client.rows(sql);
        return saidBytes() - before;
      },
      { timeout: 15_000 },
    )
    .toBe(2 * query(sql).length);
}
