/** The DSQL endpoint before a PostgreSQL of its own, in this process, and clients for it. */
import { randomBytes } from 'node:crypto';
import { DsqlSigner } from '@aws-sdk/dsql-signer';
import pg from 'pg';
import type { AccessRequest, Identities, Principal } from '../../src/aws/identities.ts';
import type { SigningKey } from '../../src/aws/signing-key.ts';
import { silentLog } from '../../src/base/log.ts';
import { parseOriginUrl } from '../../src/config/resolve-origin.ts';
import { Cluster } from '../../src/dsql/cluster.ts';
import { type ClusterRecord, clusterEndpoint } from '../../src/dsql/clusters/cluster-record.ts';
import { DsqlEndpoint } from '../../src/dsql/endpoint.ts';
import { type ConnectionLimits, DSQL_LIMITS } from '../../src/dsql/login/connection-quota.ts';
import { CertificateAuthority } from '../../src/embedded/certificates.ts';
import { serverTls } from '../../src/net/tls-accept.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { RANDOM } from './dsql-below.ts';
import { type OwnServer, startOwnServer } from './own-server.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
export const CLUSTER_ID = 'abcdefghijklmnopqrstuvwxyz';

const userArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:user/${name}`;

type Signer = { readonly key: SigningKey; readonly principal: Principal };

/** Users with a key each, and what they may not do. */
export class TestIdentities implements Identities {
  readonly signers = new Map<string, Signer>();
  /** Actions that a user, by ARN, is denied. */
  readonly denied = new Map<string, string>();

  /** A user of that name, whose key has its name, too. */
  add(name: string): Signer {
    const arn = userArn(name);
    const principal = { arn, mappedArn: arn, accountId: ACCOUNT };
    const signer = { key: { secretKey: `secret of ${name}`, session: null }, principal };
    this.signers.set(keyOf(name), signer);
    return signer;
  }

  signer(accessKeyId: string): Signer | null {
    return this.signers.get(accessKeyId) ?? null;
  }

  isAllowed({ arn }: Principal, { action }: AccessRequest): boolean {
    return this.denied.get(arn) !== action;
  }
}

const keyOf = (name: string): string => `AKIA${name.toUpperCase()}`;

export type Wish = {
  readonly user?: string;
  /** Who signs the token. */
  readonly signer?: string;
  readonly database?: string;
  readonly options?: string;
  readonly password?: string;
  readonly servername?: string;
  readonly applicationName?: string;
};

export class TestEndpoint {
  readonly identities = new TestIdentities();
  readonly authority = new CertificateAuthority('authority of a test');
  readonly server: OwnServer;
  cluster!: Cluster;
  endpoint!: DsqlEndpoint;
  record: ClusterRecord;
  /** How far the clock that tokens are judged by is ahead. */
  aheadMs = 0;
  /** How far the clock that sessions and transactions are timed by is ahead. */
  sessionAheadMs = 0;
  /** Whether the cluster takes no clients yet. */
  isWaking = false;
  readonly #clients = new Set<pg.Client>();

  private constructor(server: OwnServer) {
    this.server = server;
    this.record = {
      id: CLUSTER_ID,
      region: REGION,
      accountId: ACCOUNT,
      status: 'ACTIVE',
      createdAtMs: 0,
      isDeletionProtected: false,
      tags: {},
      policy: null,
      originUrls: [],
      roleSecret: randomBytes(32),
    };
  }

  /** @param urls of the servers below, where that is not the one server of the test's own */
  static async start(
    limits: ConnectionLimits = DSQL_LIMITS,
    server?: OwnServer,
    urls?: readonly string[],
  ): Promise<TestEndpoint> {
    const test = new TestEndpoint(server ?? (await startOwnServer()));
    test.identities.add('root');
    const below = urls ?? [test.server.url()];
    const origins = await Promise.all(below.map(async (url) => (await parseOriginUrl(url)).origin));
    test.cluster = await Cluster.open(test.record, origins, {
      parser: await loadParser(),
      clock: { nowMs: () => performance.now() + test.sessionAheadMs },
      random: RANDOM,
      log: silentLog,
      limits,
      recordOf: () => test.record,
    });
    const { cert, key } = test.authority.issue([`*.dsql.${REGION}.on.aws`, 'localhost']);
    test.endpoint = await DsqlEndpoint.start({
      address: '127.0.0.1',
      port: 0,
      region: REGION,
      serverTls: serverTls({ cert, key, clientCa: null }),
      identities: test.identities,
      loginTimeoutMs: 10_000,
      find: (id) => {
        if (id !== CLUSTER_ID) return null;
        return test.isWaking ? 'waking' : test.cluster;
      },
      wallMs: () => Date.now() + test.aheadMs,
      nowMs: () => performance.now(),
      log: silentLog,
    });
    return test;
  }

  get host(): string {
    return clusterEndpoint(this.record);
  }

  /** A token of the SDK, signed by a user of the test. */
  async token({ user = 'admin', signer = 'root' }: Wish = {}): Promise<string> {
    const credentials = { accessKeyId: keyOf(signer), secretAccessKey: `secret of ${signer}` };
    const sdk = new DsqlSigner({ hostname: this.host, region: REGION, credentials });
    return user === 'admin' ? sdk.getDbConnectAdminAuthToken() : sdk.getDbConnectAuthToken();
  }

  async config(wish: Wish = {}): Promise<pg.ClientConfig> {
    return {
      host: '127.0.0.1',
      port: this.endpoint.port,
      user: wish.user ?? 'admin',
      database: wish.database ?? 'postgres',
      password: wish.password ?? (await this.token(wish)),
      ssl: { ca: this.authority.cert, servername: wish.servername ?? this.host },
      ...(wish.options === undefined ? {} : { options: wish.options }),
      ...(wish.applicationName === undefined ? {} : { application_name: wish.applicationName }),
    };
  }

  async connect(wish: Wish = {}): Promise<pg.Client> {
    const client = new pg.Client(await this.config(wish));
    client.on('error', () => {});
    await client.connect();
    this.#clients.add(client);
    return client;
  }

  /** A role with LOGIN that a user of that name may use. */
  async addRole(name: string): Promise<void> {
    this.identities.add(name);
    const admin = await this.connect();
    await admin.query(`CREATE ROLE ${name} WITH LOGIN`);
    await admin.query(`AWS IAM GRANT ${name} TO '${userArn(name)}'`);
    await admin.end();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) void client.end().catch(() => {});
    this.endpoint?.close();
    await this.cluster?.close(false);
    await this.server.stop();
  }
}

export type Told = {
  readonly code: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  readonly severity: string | undefined;
};

/** What a client was told when something failed. */
export async function told(work: Promise<unknown>): Promise<Told> {
  try {
    await work;
  } catch (error) {
    const { code, message, hint, severity } = error as pg.DatabaseError;
    return { code, message, hint, severity };
  }
  throw new Error('it went well');
}
