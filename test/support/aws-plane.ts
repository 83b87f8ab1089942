/** The APIs of AWS over HTTP with a store and clusters of their own, in this process. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DSQLClient } from '@aws-sdk/client-dsql';
import { STSClient } from '@aws-sdk/client-sts';
import pg from 'pg';
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { type DevIdentity, ensureDevIdentity } from '../../src/control/aws/dev-identity.ts';
import type { ControlContext } from '../../src/control/context.ts';
import { type ApiServer, serveApi } from '../../src/control/http/server.ts';
import type { OpenCluster } from '../../src/dsql/clusters/cluster-run.ts';
import { Clusters } from '../../src/dsql/clusters/clusters.ts';
import { StoreIdentities } from '../../src/store/identities.ts';
import type { MasterKeys } from '../../src/store/master-keys.ts';
import type { Store } from '../../src/store/store.ts';
import { tokenHash } from '../../src/store/tokens.ts';
import { createDatabase, type TestDatabase } from './pg.ts';
import { openStore } from './store.ts';

export const AWS_ACCOUNT = '111122223333';
export const REGION = 'us-east-1';
/** Small: several run beside each other. */
const SETTINGS = { shared_buffers: '8MB', max_connections: '20' };

export const random = { bytes: (count: number) => randomBytes(count) };

/** What a test opens a cluster as: proven by a query, and counted. */
export type Opened = OpenCluster & { readonly origins: readonly OriginConfig[] };

/** Asks the server of an origin. */
export async function ask(origin: OriginConfig, text: string): Promise<unknown[]> {
  const { host, port, user, password, database } = origin;
  const client = new pg.Client({ host, port, user, password: password ?? '', database });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

export type AwsCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

export class TestAws {
  readonly storage: TestDatabase;
  readonly keys: MasterKeys;
  readonly dataDir: string;
  readonly token = randomBytes(24).toString('hex');
  store!: Store;
  identities!: StoreIdentities;
  clusters!: Clusters<Opened>;
  admin!: DevIdentity;
  /** How often clusters were opened and closed. */
  openings = 0;
  closings = 0;
  #server!: ApiServer;
  readonly #isEphemeral: boolean;

  private constructor(storage: TestDatabase, dataDir: string, isEphemeral: boolean) {
    this.storage = storage;
    this.dataDir = dataDir;
    this.#isEphemeral = isEphemeral;
    this.keys = [randomBytes(32)];
  }

  static async start({ isEphemeral = true } = {}): Promise<TestAws> {
    const dataDir = await mkdtemp(join(tmpdir(), 'millrace-aws-'));
    const aws = new TestAws(await createDatabase(), dataDir, isEphemeral);
    await aws.begin();
    return aws;
  }

  async begin(): Promise<void> {
    this.store = await openStore(this.storage, this.keys);
    this.admin = await ensureDevIdentity(this.store, AWS_ACCOUNT, random);
    this.identities = await StoreIdentities.start(this.store);
    this.clusters = await Clusters.start<Opened>({
      store: this.store,
      dataDir: this.dataDir,
      isEphemeral: this.#isEphemeral,
      settings: SETTINGS,
      open: (_, origins) => this.#open(origins),
      random,
      log: silentLog,
    });
    const context: ControlContext = {
      store: this.store,
      rootTokenHash: tokenHash(this.token),
      fileConfigurations: () => [],
      status: async () => [],
      purge: () => Promise.reject(new Error('nothing has a cache here')),
      changesApplied: async () => {},
      clientAddress: () => null,
      aws: { identities: this.identities, clusters: this.clusters, region: REGION },
      random,
      log: silentLog,
    };
    const options = { address: '127.0.0.1', port: 0, tls: null, version: '0.0.0' };
    this.#server = await serveApi(context, options);
  }

  async #open(origins: readonly OriginConfig[]): Promise<Opened> {
    for (const origin of origins) await ask(origin, 'SELECT 1');
    this.openings++;
    const close = async () => {
      this.closings++;
    };
    return { origins, close };
  }

  /** As the end of the program does. */
  async end(): Promise<void> {
    await this.#server.close();
    await this.clusters.close();
    await this.identities.close();
    await this.store.close();
  }

  async stop(): Promise<void> {
    await this.end();
    await this.storage.drop();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Without the path of the own API. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get apiUrl(): string {
    return this.#server.url;
  }

  dsql(credentials: AwsCredentials = this.admin, region = REGION): DSQLClient {
    return new DSQLClient({ endpoint: this.url, region, credentials, maxAttempts: 1 });
  }

  sts(credentials: AwsCredentials = this.admin, region = REGION): STSClient {
    return new STSClient({ endpoint: this.url, region, credentials, maxAttempts: 1 });
  }
}

/** The error that a promise is rejected with. */
export async function failure(
  work: Promise<unknown>,
): Promise<Error & { readonly $metadata?: { readonly httpStatusCode?: number } }> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it went well');
}
